package e2e

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// A replica that becomes the primary in the middle of it knows the next user, lets the old one in as long as pods have it, and neither of
// the two is left behind: nobody is locked out, and at the end both nodes are what they were.
func TestRedisReplicaIsPromotedInMidRotation(t *testing.T) {
	long(t)
	alone(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	old := w.login()
	w.loadedWith(50)
	w.rotate(3, "redis", "--yes", "--until=activate")
	w.promoted("redis-1", "redis-0")
	for _, pod := range redisPods {
		if !w.accepted(pod, old) || !w.accepted(pod, w.login()) {
			t.Fatalf("%s locks somebody out", pod)
		}
	}
	r := w.rotate(0, "redis", "--yes", "--soak=1s")
	w.says(r, "at 2 places", "backend gone")
	w.standby("backend_v2", rules)
}

// promoted makes a replica the primary, has the Service lead there, and the old one follow it.
func (w *redisWorld) promoted(pod, before string) {
	w.Helper()
	next, then := w.node(pod, w.admin()), w.node(before, w.admin())
	defer next.Close()
	defer then.Close()
	w.must("promoting "+pod, next.Do(w.ctx, "REPLICAOF", "NO", "ONE").Err())
	patch := `{"spec":{"selector":{"statefulset.kubernetes.io/pod-name":"` + pod + `"}}}`
	_, err := w.kube.CoreV1().Services(w.ns).Patch(w.ctx, "redis", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	w.must("moving the Service", err)
	p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, pod, metav1.GetOptions{})
	w.must("reading pod "+pod, err)
	w.must("demoting "+before, then.ConfigSet(w.ctx, "masterauth", w.admin().password).Err())
	w.must("demoting "+before, then.Do(w.ctx, "REPLICAOF", p.Status.PodIP, "6379").Err())
	w.until(before+" follows "+pod, func() bool {
		text, err := then.Info(w.ctx, "replication").Result()
		return err == nil && strings.Contains(text, "master_link_status:up")
	})
}

// A node that is added in the middle of it has the users of its own file, the old one: it is told of the next one before the pods are asked
// to leave the old one, and forgets that like the others.
func TestRedisNodeIsAddedInMidRotation(t *testing.T) {
	long(t)
	alone(t)
	w := &redisWorld{newCluster(t)}
	w.deployWith(deploy.Options{RedisNodes: 3}, "redis")
	w.linked()
	rules := w.rules("redis-0")["backend"]
	w.scaled(2)
	w.loadedWith(50)
	old := w.login()
	w.rotate(3, "redis", "--yes", "--until=install")
	w.scaled(3)
	if len(w.rules("redis-2")) != 1 || !w.accepted("redis-2", old) {
		t.Fatalf("the new node has users %v, want the old one alone", w.rules("redis-2"))
	}
	r := w.rotate(3, "redis", "--yes", "--until=install")
	w.says(r, "backend_v2: accepts (AUTH as backend_v2), at 3 places")
	if got := w.rules("redis-2"); got["backend_v2"] != rules {
		t.Errorf("the new node has users %v, want backend_v2 with %q", got, rules)
	}
	w.rotate(0, "redis", "--yes", "--soak=0")
	if got := w.rules("redis-2"); len(got) != 1 || got["backend_v2"] != rules || w.accepted("redis-2", old) {
		t.Errorf("the new node has users %v, want backend_v2 with %q alone", got, rules)
	}
	w.standby("backend_v2", rules)
}

// scaled has Redis be so many pods, each ready.
func (w *redisWorld) scaled(n int32) {
	w.Helper()
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, n)
	sets := w.kube.AppsV1().StatefulSets(w.ns)
	_, err := sets.Patch(w.ctx, "redis", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	w.must("scaling Redis", err)
	w.until(fmt.Sprintf("Redis has %d pods", n), func() bool {
		pods, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=redis"})
		set, failed := sets.Get(w.ctx, "redis", metav1.GetOptions{})
		return err == nil && failed == nil && len(pods.Items) == int(n) && set.Status.ReadyReplicas == n
	})
}
