package kube

import (
	"fmt"
	"strings"

	"github.com/go-logr/logr"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// MaskBodies gives a logger that writes what logger writes, without the bodies of requests and answers: client-go logs
// them from -v=8 on, and those of Secrets hold every value. Hand it to klog.SetLogger before the first request.
func MaskBodies(logger logr.Logger) logr.Logger {
	return logger.WithSink(bodyMask{logger.GetSink()})
}

type bodyMask struct{ logr.LogSink }

func (m bodyMask) Init(info logr.RuntimeInfo) {
	info.CallDepth++ // this sink's own frame
	m.LogSink.Init(info)
}

func (m bodyMask) Info(level int, msg string, keysAndValues ...any) {
	m.LogSink.Info(level, msg, maskBody(keysAndValues)...)
}

func (m bodyMask) Error(err error, msg string, keysAndValues ...any) {
	m.LogSink.Error(err, msg, maskBody(keysAndValues)...)
}

func (m bodyMask) WithValues(keysAndValues ...any) logr.LogSink {
	return bodyMask{m.LogSink.WithValues(maskBody(keysAndValues)...)}
}

func (m bodyMask) WithName(name string) logr.LogSink { return bodyMask{m.LogSink.WithName(name)} }

// WithCallDepth keeps the line numbers right where the sink below can.
func (m bodyMask) WithCallDepth(depth int) logr.LogSink {
	if sink, ok := m.LogSink.(logr.CallDepthLogSink); ok {
		return bodyMask{sink.WithCallDepth(depth)}
	}
	return m
}

// maskBody replaces the value of each key "body" by its size.
func maskBody(keysAndValues []any) []any {
	masked := append([]any(nil), keysAndValues...)
	for i := 0; i+1 < len(masked); i += 2 {
		if key, ok := masked[i].(string); ok && strings.EqualFold(key, "body") {
			masked[i+1] = fmt.Sprintf("%s (%d bytes)", rotation.Redacted, len(fmt.Sprint(masked[i+1])))
		}
	}
	return masked
}
