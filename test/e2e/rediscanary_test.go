package e2e

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// No password, old or new, shows anywhere, in any form, at -v=9: not in what the runs say, not in what MONITOR shows of any node,
// (which leaves such commands out), nor in its slow log, ACL LOG and log, not in the API server's audit log, events or other objects, not in a run's arguments,
// environment or files.
func TestRedisSecretsShowNowhere(t *testing.T) {
	long(t)
	w := newRedis(t)
	c := newCanary(w.world)
	var places []func() place
	for _, pod := range redisPods {
		admin := w.node(pod, w.admin())
		defer admin.Close()
		w.must("logging every command", admin.ConfigSet(w.ctx, "slowlog-log-slower-than", "0").Err())
		w.must("keeping them", admin.ConfigSet(w.ctx, "slowlog-max-len", "100000").Err())
		seen := w.monitor(pod)
		places = append(places,
			func() place { return place{"MONITOR of " + pod, seen(), `"TIME"`} },
			func() place {
				return place{"the slow log of " + pod, fmt.Sprint(admin.Do(w.ctx, "SLOWLOG", "GET", "-1").Val()), "SETUSER"}
			},
			func() place { return place{"ACL LOG of " + pod, fmt.Sprint(admin.Do(w.ctx, "ACL", "LOG").Val()), ""} },
			func() place {
				return place{"ACL LIST of " + pod, fmt.Sprint(admin.ACLList(w.ctx).Val()), "user backend"}
			},
			func() place { return place{"the log of " + pod, c.log(pod), "Ready to accept connections"} },
		)
	}
	old := w.login()
	c.run("restricted", 0, "redis", "--yes", "--soak=1s", "-v=9")
	if w.accepted("redis-1", old) {
		t.Error("the old user is let in")
	}
	c.run("admin", 3, "redis", "--yes", "--again", "--until=install", "--via=exec", "-v=9", "-o", "json")
	c.run("restricted", 3, "redis", "--yes", "--until=revoke", "-v=9")
	c.run("restricted", 0, "status", "redis", "-v=9", "-o", "yaml")
	c.run("restricted", 0, "abort", "redis", "--yes", "--soak=1s", "-v=9")
	if len(c.secrets) < 6 {
		t.Fatalf("only %d secrets were learned", len(c.secrets))
	}
	all := c.around("redis", "redis-credentials", "backend_v2")
	for _, p := range places {
		all = append(all, p())
	}
	c.search(all)
}

// monitor follows every command of a node; the function that it gives ends that, and gives what was seen.
func (w *redisWorld) monitor(pod string) func() string {
	w.Helper()
	p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, pod, metav1.GetOptions{})
	w.must("reading pod "+pod, err)
	conn, err := net.Dial("tcp", net.JoinHostPort(p.Status.PodIP, "6379"))
	w.must("connecting to "+pod, err)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	for _, command := range []string{"AUTH " + w.admin().password, "MONITOR"} {
		_, err := fmt.Fprint(conn, command+"\r\n")
		w.must("monitoring "+pod, err)
		if !lines.Scan() || lines.Text() != "+OK" {
			w.Fatalf("monitoring %s: %q", pod, lines.Text())
		}
	}
	var seen strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines.Scan() {
			seen.WriteString(lines.Text() + "\n")
		}
	})
	return func() string {
		w.must("ending it", conn.SetReadDeadline(time.Now().Add(time.Second)))
		reading.Wait()
		_ = conn.Close()
		return seen.String()
	}
}
