package redisacl

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Nothing that a server shows or writes down has a password in it: not MONITOR, the slow log, ACL LOG, CLIENT LIST, nor its log.
func TestNoPasswordIsLeftAtTheServer(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Settings: []string{"loglevel debug", "slowlog-log-slower-than 0", "slowlog-max-len 10000"}})
	ctx := context.Background()
	monitored := a.monitor()
	c := a.next()
	a.stands(c, rotation.Accepts, "")
	wrong := c
	wrong.Value = rotation.NewSecret([]byte("a password that was never right, never"))
	_, err := a.server.Standing(ctx, wrong)
	a.must("standing", err)
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	_, _ = a.open(a.nodes[0], a.current)
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	n := a.nodes[0]
	for place, trace := range map[string]string{
		"MONITOR":     monitored(),
		"SLOWLOG":     fmt.Sprint(n.Do(t, "SLOWLOG", "GET", "-1")),
		"ACL LOG":     fmt.Sprint(n.Do(t, "ACL", "LOG")),
		"CLIENT LIST": fmt.Sprint(n.Do(t, "CLIENT", "LIST")),
		"the log":     text(t, n.Log),
		"the file":    text(t, n.Dir+"/users.acl"),
	} {
		if len(trace) < 20 && place != "ACL LOG" {
			t.Errorf("%s says too little to be searched: %q", place, trace)
		}
		for _, secret := range []rotation.Secret{c.Value, a.current.Value, wrong.Value} {
			for form, value := range forms(secret) {
				if strings.Contains(trace, value) {
					t.Errorf("%s has a password, %s", place, form)
				}
			}
		}
	}
}

func forms(s rotation.Secret) map[string]string {
	value := s.Reveal()
	return map[string]string{
		"plain": string(value), "in base64": base64.StdEncoding.EncodeToString(value), "in hexadecimal": hex.EncodeToString(value),
	}
}

// monitor follows all commands of the server; the function that it gives ends that, and gives what was seen.
func (a *app) monitor() func() string {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.nodes[0].Address())
	a.must("dial", err)
	lines := bufio.NewScanner(conn)
	for _, command := range []string{"AUTH default " + a.nodes[0].Password, "MONITOR"} {
		_, err := fmt.Fprint(conn, command+"\r\n")
		a.must("monitor", err)
		if !lines.Scan() || lines.Text() != "+OK" {
			a.t.Fatalf("monitor: %q", lines.Text())
		}
	}
	var seen strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines.Scan() && !strings.Contains(lines.Text(), "that is all") {
			seen.WriteString(lines.Text() + "\n")
		}
	})
	return func() string {
		a.nodes[0].Do(a.t, "ECHO", "that is all")
		reading.Wait()
		_ = conn.Close()
		return seen.String()
	}
}
