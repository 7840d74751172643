// Package manifests holds the Kubernetes objects of the demo platform, as YAML with a few values to fill in.
package manifests

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed *.yaml
var files embed.FS

// Values are what differs from one deployment to the next.
type Values struct {
	Namespace         string
	BaseImage         string // Debian with PostgreSQL and Redis
	BackendImage      string
	PullPolicy        string
	Data              string // how the names of the volumes' directories on the node begin
	Replicas          int32  // of the backend
	TokenLifetime     string // of the tokens that the backend issues, as time.ParseDuration reads it
	DrainDelay        string // how long a backend serves after SIGTERM
	PostgreSQLAddress string // the Service's cluster IP; only backend.yaml needs it
	RedisNodes        int32  // the first is the primary
}

// RedisPod is one of Redis, and what its volume's name ends in.
type RedisPod struct{ Name, Volume string }

// RedisPods are all pods of Redis.
func (v Values) RedisPods() (pods []RedisPod) {
	for i := range v.RedisNodes {
		name := fmt.Sprintf("redis-%d", i)
		pod := RedisPod{Name: name, Volume: name}
		if i == 0 {
			pod.Volume = "redis"
		}
		pods = append(pods, pod)
	}
	return pods
}

// ReadsRedis says whether the backend reads keys too.
func (v Values) ReadsRedis() bool { return v.RedisNodes > 1 }

// Render gives the objects of one file, such as "redis.yaml", in its order.
func Render(file string, v Values) ([]*unstructured.Unstructured, error) {
	t, err := template.New(file).Option("missingkey=error").ParseFS(files, file)
	if err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", file, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, v); err != nil {
		return nil, fmt.Errorf("filling in manifest %s: %w", file, err)
	}
	objects, err := decode(&text)
	if err != nil {
		return nil, fmt.Errorf("decoding manifest %s: %w", file, err)
	}
	return objects, nil
}

func decode(text io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(text, 4096); ; {
		o := new(unstructured.Unstructured)
		switch err := d.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(o.Object) > 0:
			objects = append(objects, o)
		}
	}
}
