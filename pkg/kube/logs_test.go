package kube

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// What a tunnel carries is in no log either.
func TestTunnelsLogNothingTheyCarry(t *testing.T) {
	log := logEverything(t)
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
func logEverything(t *testing.T) func() string {
	t.Helper()
	r := recorder{new(sync.Mutex), new(strings.Builder)}
	sink := logr.New(r).GetSink()
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
