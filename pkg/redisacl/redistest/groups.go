//go:build unix

package redistest

import (
	"context"
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// insecure speaks TLS and checks nobody.
var insecure = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // a test's own server

// ReplicaOf makes a replica of the server, for one test, and waits until it follows. It has the settings and the users of c.
func (s *Server) ReplicaOf(t testing.TB, c Config) *Server {
	t.Helper()
	c.Password = s.Password
	c.Settings = append([]string{fmt.Sprintf("replicaof 127.0.0.1 %d", s.Port), "masterauth " + s.Password}, c.Settings...)
	r := For(t, c)
	r.Follows(t)
	return r
}

// Follows waits until a replica has its primary's data.
func (s *Server) Follows(t testing.TB) {
	t.Helper()
	s.until(t, "INFO replication", func(text string) bool { return strings.Contains(text, "master_link_status:up") }, "INFO", "replication")
}

// Promote makes a replica the primary.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Do(t, "REPLICAOF", "NO", "ONE")
}

// Cluster makes a cluster of n servers, for one test, and waits until it is whole.
func Cluster(t testing.TB, n int, c Config) (all []*Server) {
	t.Helper()
	c.Settings = append([]string{"cluster-enabled yes", "cluster-node-timeout 2000"}, c.Settings...)
	for i := range n {
		if i > 0 {
			c.Password = all[0].Password
		}
		all = append(all, For(t, c))
	}
	per := 16384 / n
	for i, s := range all {
		last := (i+1)*per - 1
		if i == n-1 {
			last = 16383
		}
		s.Do(t, "CLUSTER", "ADDSLOTSRANGE", i*per, last)
		s.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for _, s := range all[1:] {
		all[0].Do(t, "CLUSTER", "MEET", "127.0.0.1", s.Port)
	}
	for _, s := range all {
		s.until(t, "a whole cluster", func(text string) bool {
			return strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:"+strconv.Itoa(n))
		}, "CLUSTER", "INFO")
	}
	return all
}

// until waits for an answer.
func (s *Server) until(t testing.TB, what string, ok func(string) bool, command ...any) {
	t.Helper()
	admin := s.Client(Default, s.Password)
	defer admin.Close()
	text := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, _ = admin.Do(context.Background(), command...).Text()
		if ok(text) {
			return
		}
	}
	t.Fatalf("%s did not come about: %s", what, text)
}
