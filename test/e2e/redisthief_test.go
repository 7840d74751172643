package e2e

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Somebody with the leaked login alone has connections under every name that may be thought to be exempt, at the primary and at the replica,
// and has made up a replica in a pod of the namespace. The login is replaced, all his connections end, and his pod has heard nothing: neither
// the administrator's password nor the new one. The run says that there is a node which nobody has asked.
func TestRedisThiefUnderEveryName(t *testing.T) {
	long(t)
	w := newRedis(t)
	for _, pod := range redisPods { // as an application may have that brings a client library along
		admin := w.node(pod, w.admin())
		w.must("allowing more", admin.Do(w.ctx, "ACL", "SETUSER", "backend", "+client|setname", "+replconf", "+psync").Err())
		_ = admin.Close()
	}
	old := w.login()
	var thieves []*redis.Conn
	for _, pod := range redisPods {
		for _, name := range []string{"kubectl-rotate", "kubectl-rotate-run", "sentinel-0-cmd"} {
			c := w.node(pod, old)
			defer c.Close()
			conn := c.Conn()
			w.must("naming a connection "+name, conn.Do(w.ctx, "CLIENT", "SETNAME", name).Err())
			thieves = append(thieves, conn)
		}
	}
	ears := w.listening()
	w.poses("redis-0", old, ears)
	r := w.rotate(0, "redis", "--compromised", "--yes")
	w.says(r, "announces "+net.JoinHostPort(ears, "6379"))
	for i, c := range thieves {
		if err := c.Ping(w.ctx).Err(); err == nil {
			t.Errorf("connection %d of the thief is still there", i)
		}
	}
	for _, pod := range redisPods {
		if w.accepted(pod, old) {
			t.Errorf("%s still lets %s in", pod, old.user)
		}
	}
	heard, err := w.kube.CoreV1().Pods(w.ns).GetLogs("thief", &corev1.PodLogOptions{}).DoRaw(w.ctx)
	w.must("reading what the thief's pod has heard", err)
	if len(heard) > 0 {
		t.Errorf("the replica that is made up has heard: %q", heard)
	}
}

// listening is the address of a pod that writes down whatever it is told at the port of Redis.
func (w *redisWorld) listening() string {
	w.Helper()
	template := redisPod("thief", "touch /tmp/ready; exec socat -u TCP-LISTEN:6379,fork,reuseaddr STDOUT", 0)
	template.Spec.Containers[0].Env = nil // the pod is no consumer: it knows the leaked password otherwise
	pods := w.kube.CoreV1().Pods(w.ns)
	_, err := pods.Create(w.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "thief", Labels: template.Labels}, Spec: template.Spec}, metav1.CreateOptions{})
	w.must("making the thief's pod", err)
	ip := ""
	w.until("the thief's pod listens", func() bool {
		p, err := pods.Get(w.ctx, "thief", metav1.GetOptions{})
		if err != nil || len(p.Status.ContainerStatuses) == 0 || !p.Status.ContainerStatuses[0].Ready {
			return false
		}
		ip = p.Status.PodIP
		return true
	})
	return ip
}

// poses makes a connection of l a replica at that address, as far as the node knows.
func (w *redisWorld) poses(pod string, l login, host string) {
	w.Helper()
	p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, pod, metav1.GetOptions{})
	w.must("reading pod "+pod, err)
	conn, err := net.Dial("tcp", net.JoinHostPort(p.Status.PodIP, "6379"))
	w.must("connecting to "+pod, err)
	w.Cleanup(func() { _ = conn.Close() })
	lines := bufio.NewReader(conn)
	for _, command := range []string{
		fmt.Sprintf("AUTH %s %q", l.user, l.password), "REPLCONF listening-port 6379", "REPLCONF ip-address " + host, "PSYNC ? -1",
	} {
		_, err := fmt.Fprint(conn, command+"\r\n")
		w.must("posing as a replica", err)
		line, err := lines.ReadString('\n')
		w.must("posing as a replica", err)
		if !strings.HasPrefix(line, "+") {
			w.Fatalf("posing as a replica: %s", line)
		}
	}
	admin := w.node(pod, w.admin())
	defer admin.Close()
	w.until("the replica is announced", func() bool {
		text, err := admin.Info(w.ctx, "replication").Result()
		return err == nil && strings.Contains(text, "ip="+host)
	})
}
