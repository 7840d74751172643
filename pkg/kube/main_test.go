package kube

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// klogSink is where klog's lines go, if anywhere: klog can't change its logger while others log, and the test server
// logs every connection that a test cuts.
var klogSink atomic.Pointer[logr.LogSink]

type klogSwitch struct{}

func (klogSwitch) Init(logr.RuntimeInfo)            {}
func (klogSwitch) Enabled(int) bool                 { return true }
func (s klogSwitch) WithName(string) logr.LogSink   { return s }
func (s klogSwitch) WithValues(...any) logr.LogSink { return s }
func (klogSwitch) Error(err error, msg string, kv ...any) {
	if sink := klogSink.Load(); sink != nil {
		(*sink).Error(err, msg, kv...)
	}
}

func (klogSwitch) Info(level int, msg string, kv ...any) {
	if sink := klogSink.Load(); sink != nil {
		(*sink).Info(level, msg, kv...)
	}
}

func TestMain(m *testing.M) {
	klog.SetLogger(logr.New(klogSwitch{}))
	os.Exit(m.Run())
}
