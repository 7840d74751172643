package e2e

import (
	"errors"
	"io"
	"sync/atomic"
)

// mortality lets tunnels die: each lives for a few more chunks of data than the one before.
type mortality struct{ born atomic.Int64 }

// more is how much longer each lives, in chunks that come through it, whichever way.
const more = 3

func (m *mortality) give(to io.ReadWriter) io.ReadWriter {
	t := &mortal{ReadWriter: to}
	t.left.Store(more * m.born.Add(1))
	return t
}

// mortal is a tunnel that dies after a number of chunks.
type mortal struct {
	io.ReadWriter
	left atomic.Int64
}

var errDead = errors.New("the tunnel died")

func (m *mortal) Read(p []byte) (int, error) {
	n, err := m.ReadWriter.Read(p)
	if m.left.Add(-1) < 0 {
		return 0, errDead
	}
	return n, err
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.left.Add(-1) < 0 {
		return 0, errDead
	}
	return m.ReadWriter.Write(p)
}
