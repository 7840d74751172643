package cluster

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/image"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/network"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"quote": func(parts ...string) string { return strconv.Quote(strings.Join(parts, "")) }}).
	ParseFS(templateFiles, "templates/*"))

// settings is what the configuration files depend on.
type settings struct {
	Dir        string
	Plan       network.Plan
	Node       string
	Cgroup     string
	PauseImage string
}

// writeConfigs writes the daemons' configuration, and leaves alone what is right already: kube-proxy ends when its
// file is touched.
func (c *Cluster) writeConfigs() error {
	s := settings{Dir: c.Dir, Plan: c.plan, Node: nodeName, Cgroup: c.cgroup().Name, PauseImage: image.PauseName}
	files := map[string]string{
		"containerd.toml": "containerd.toml",
		"cni.conflist":    "cni/10-ptp.conflist",
		"kubelet.yaml":    "kubelet.yaml",
		"kube-proxy.yaml": "kube-proxy.yaml",
		"audit.yaml":      "audit.yaml",
		"resolv.conf":     "resolv.conf",
	}
	for name, file := range files {
		text, err := render(name, s)
		if err != nil {
			return err
		}
		path := c.path("config", file)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing the configuration %s: %w", name, err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("writing the configuration %s: %w", name, err)
		}
	}
	return nil
}

func render(name string, data any) ([]byte, error) {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, data); err != nil {
		return nil, fmt.Errorf("rendering %s: %w", name, err)
	}
	return buf.Bytes(), nil
}
