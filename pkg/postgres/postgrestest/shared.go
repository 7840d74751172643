//go:build unix

package postgrestest

import (
	"errors"
	"os"
	"sync"
	"testing"
)

// Shared is a cluster that all tests of a package use. It is made when the first of them asks for it; TestMain closes it.
type Shared struct {
	Config Config

	once    sync.Once
	cluster *Cluster
	err     error
}

// Cluster gives the cluster. Where PostgreSQL is not installed, the test is skipped; with CI set, it fails.
func (s *Shared) Cluster(t testing.TB) *Cluster {
	t.Helper()
	s.once.Do(func() { s.cluster, s.err = Start(s.Config) })
	if errors.Is(s.err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(s.err)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.cluster
}

// Close stops the cluster, if there is one.
func (s *Shared) Close() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Stop()
}
