package kube

import (
	"encoding/base64"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// At the highest verbosity, client-go's log of reading and writing a Secret has lines of bodies, and not the value.
func TestMaskBodies(t *testing.T) {
	s := newAPIServer(t)
	secret := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "s"},
		Data: map[string][]byte{"password": []byte("correct horse battery")},
	}
	answer := func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, secret) }
	s.routes["GET /api/v1/namespaces/default/secrets/s"] = answer
	s.routes["PUT /api/v1/namespaces/default/secrets/s"] = answer
	log := logEverything(t, MaskBodies)
	secrets := s.clients(t).Kube.CoreV1().Secrets("default")
	if _, err := secrets.Get(t.Context(), "s", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	text := log()
	for _, want := range []string{"Request Body", "Response Body"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the log:\n%s", want, text)
		}
	}
	for _, value := range []string{"correct horse", base64.StdEncoding.EncodeToString(secret.Data["password"]), "t0ken"} {
		if strings.Contains(text, value) {
			t.Errorf("%q is in the log:\n%s", value, text)
		}
	}
}

// What a tunnel carries is in no log either.
func TestTunnelsLogNothingTheyCarry(t *testing.T) {
	log := logEverything(t, func(l logr.Logger) logr.Logger { return l })
	for _, via := range []Via{ViaPortForward, ViaExec} {
		s := newAPIServer(t)
		d := s.container(t, "dash", "perl")
		d.Via = via
		c := dial(t, d, "tcp", server(t, "tcp", echo))
		if _, err := c.Write([]byte("AUTH hunter2")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	text := log()
	if !strings.Contains(text, "portforward") {
		t.Errorf("the request is not in the log:\n%s", text)
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "104 117 110 116") {
		t.Errorf("what the tunnel carried is in the log:\n%s", text)
	}
}

// recorder writes down what is logged: text and bytes as they are, of anything else the type.
type recorder struct {
	mu   *sync.Mutex
	text *strings.Builder
}

func (recorder) Init(logr.RuntimeInfo)                    {}
func (recorder) Enabled(int) bool                         { return true }
func (r recorder) WithName(string) logr.LogSink           { return r }
func (r recorder) WithValues(kv ...any) logr.LogSink      { r.Info(0, "", kv...); return r }
func (r recorder) Error(err error, msg string, kv ...any) { r.Info(0, msg, append(kv, err)...) }

func (r recorder) Info(_ int, msg string, kv ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.WriteString(msg)
	for _, v := range kv {
		switch v.(type) {
		case string, []byte, error:
			fmt.Fprintf(r.text, " %v", v)
		default:
			fmt.Fprintf(r.text, " %T", v)
		}
	}
	r.text.WriteByte('\n')
}

// logEverything gives what is logged from now to the end of the test, at the highest verbosity.
func logEverything(t *testing.T, wrap func(logr.Logger) logr.Logger) func() string {
	t.Helper()
	r := recorder{new(sync.Mutex), new(strings.Builder)}
	sink := wrap(logr.New(r)).GetSink()
	klogSink.Store(&sink)
	verbosity := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(verbosity)
	_ = verbosity.Set("v", "10")
	t.Cleanup(func() {
		_ = verbosity.Set("v", "0")
		klogSink.Store(nil)
	})
	return func() string {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.text.String()
	}
}
