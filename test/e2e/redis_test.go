package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

// newRedis is a world whose Redis has a replica, and whose backend listens and reads keys there.
func newRedis(t *testing.T) *redisWorld {
	t.Helper()
	w := &redisWorld{newCluster(t)}
	w.deployWith(deploy.Options{RedisNodes: 2}, "redis")
	w.linked()
	return w
}

// linked waits until the replica follows its primary.
func (w *redisWorld) linked() {
	w.Helper()
	c := w.node("redis-1", w.admin())
	defer c.Close()
	w.until("redis-1 follows redis-0", func() bool {
		text, err := c.Info(w.ctx, "replication").Result()
		return err == nil && strings.Contains(text, "master_link_status:up")
	})
}

// redisWorld is a world that is about Redis.
type redisWorld struct{ *world }

func (w *redisWorld) login() login {
	w.Helper()
	s := w.secret("redis-credentials")
	return login{string(s.Data["username"]), string(s.Data["password"])}
}

// node is a client of one pod of Redis; the caller closes it.
func (w *redisWorld) node(pod string, l login) *redis.Client {
	w.Helper()
	p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, pod, metav1.GetOptions{})
	w.must("reading pod "+pod, err)
	return redis.NewClient(&redis.Options{
		Addr: net.JoinHostPort(p.Status.PodIP, "6379"), Username: l.user, Password: l.password, MaxRetries: -1, DialerRetries: 1,
		Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func (w *redisWorld) admin() login {
	w.Helper()
	password, err := w.platform.SecretValue(w.ctx, "redis-admin", "password")
	w.must("reading the administrator's password", err)
	return login{"default", password}
}

var redisPods = []string{"redis-0", "redis-1"}

// accepted says whether a node lets l in.
func (w *redisWorld) accepted(pod string, l login) bool {
	w.Helper()
	c := w.node(pod, l)
	defer c.Close()
	err := c.Ping(w.ctx).Err()
	if err != nil && strings.Contains(err.Error(), "WRONGPASS") {
		return false
	}
	w.must("asking "+pod+" about "+l.user, err)
	return true
}

// rules are what a node allows each user but the administrator, without passwords.
func (w *redisWorld) rules(pod string) map[string]string {
	w.Helper()
	c := w.node(pod, w.admin())
	defer c.Close()
	lines, err := c.ACLList(w.ctx).Result()
	w.must("ACL LIST of "+pod, err)
	all := map[string]string{}
	for _, line := range lines {
		words := strings.Fields(line)
		if words[1] == "default" {
			continue
		}
		var kept []string
		for _, word := range words[2:] {
			if !strings.HasPrefix(word, "#") {
				kept = append(kept, word)
			}
		}
		slices.Sort(kept) // the server lists single commands in no order
		all[words[1]] = strings.Join(kept, " ")
	}
	return all
}

// standby wants one user at every node, with those rules, and the Secret to say so, the connection string too.
func (w *redisWorld) standby(name, rules string) {
	w.Helper()
	now := w.login()
	if url := string(w.secret("redis-credentials").Data["REDIS_URL"]); url != fmt.Sprintf("redis://%s:%s@redis:6379/0", now.user, now.password) {
		w.Errorf("REDIS_URL is not that of %s", now.user)
	}
	for _, pod := range redisPods {
		if got := w.rules(pod); len(got) != 1 || got[name] != rules {
			w.Errorf("%s has users %v, want only %s with %q", pod, got, name, rules)
		}
		if !w.accepted(pod, now) {
			w.Errorf("%s refuses %s", pod, now.user)
		}
	}
}

// published sends numbered messages at 200 a second, until it is told to stop.
func (w *redisWorld) published() (stop func()) {
	w.Helper()
	primary := w.node("redis-0", w.admin())
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-tick.C:
			}
			if err := primary.Publish(ctx, "config:backend", n).Err(); err != nil && ctx.Err() == nil {
				ended <- fmt.Errorf("publishing %d: %w", n, err)
				return
			}
		}
	}()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			w.Error(err)
		}
		_ = primary.Close()
	}
}

// heard wants no pod to have missed a message while it lived, and every message to have reached one.
func (w *redisWorld) heard(s load.Summary) {
	w.Helper()
	all := slices.SortedFunc(maps.Values(s.Messages), func(a, b load.Messages) int { return int(a.First) - int(b.First) })
	if len(all) == 0 {
		w.Fatal("no pod has received a message: nothing is proven")
	}
	upTo, count := all[0].Last, uint64(0)
	for _, m := range all {
		count += m.Count
		if m.Missed > 0 {
			w.Errorf("a pod has missed %d messages between %d and %d", m.Missed, m.First, m.Last)
		}
		if m.First > upTo+1 {
			w.Errorf("messages %d to %d reached no pod", upTo+1, m.First-1)
		}
		upTo = max(upTo, m.Last)
	}
	w.Logf("%d pods have received %d messages, up to number %d, and missed none", len(all), count, upTo)
}

// Rotations in a row, while requests come in that ask Redis and 200 messages a second are published, lose none of them. Afterwards
// every node is what it was but for name and password, and is so still when it has been restarted.
func TestRedisRotationsUnderLoad(t *testing.T) {
	alone(t)
	rounds := 3
	if os.Getenv(soakVariable) != "" {
		rounds = 10
	}
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	stop := w.published()
	run := w.loadedWith(100)
	old := w.login()
	for n := 2; n <= rounds+1; n++ {
		w.rotate(0, "redis", "--yes", "--soak=0", "--again")
		for _, pod := range redisPods {
			if w.accepted(pod, old) {
				t.Fatalf("rotation %d: %s still lets %s in", n-1, pod, old.user)
			}
		}
		w.standby(fmt.Sprintf("backend_v%d", n), rules)
		old = w.login()
	}
	w.heard(run.Stop())
	stop()
	for _, pod := range redisPods {
		w.restarted(pod)
	}
	w.linked()
	w.standby(fmt.Sprintf("backend_v%d", rounds+1), rules)
}

// restarted ends a pod of Redis and waits for its successor.
func (w *redisWorld) restarted(pod string) {
	w.Helper()
	pods := w.kube.CoreV1().Pods(w.ns)
	before, err := pods.Get(w.ctx, pod, metav1.GetOptions{})
	w.must("reading pod "+pod, err)
	w.must("deleting pod "+pod, pods.Delete(w.ctx, pod, metav1.DeleteOptions{}))
	w.until(pod+" is back", func() bool {
		p, err := pods.Get(w.ctx, pod, metav1.GetOptions{})
		return err == nil && p.UID != before.UID && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready
	})
}

// A rotation that stopped on its way is taken back under load, to the user of before.
func TestRedisAbort(t *testing.T) {
	long(t)
	alone(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.loadedWith(50)
	before := w.login()
	for n, until := range []string{"install", "rollout", "revoke"} {
		w.rotate(3, "redis", "--yes", "--until="+until)
		w.rotate(0, "abort", "redis", "--yes", "--soak=0")
		if w.login() != before {
			t.Errorf("after an abort %d the login is %s, want %s with its old password", n, w.login().user, before.user)
		}
		w.standby("backend", rules)
	}
}

// A rotation of Redis, killed with SIGKILL at every boundary of a step, goes on with the same command, and ends as if nothing had
// happened.
func TestRedisKilledAtEveryStepBoundary(t *testing.T) {
	long(t)
	alone(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.loadedWith(50)
	for _, at := range []struct {
		step  string
		state rotation.Phase
	}{
		{rotation.StepBegin, rotation.Done}, {rotation.StepStage, rotation.Done}, {rotation.StepInstall, rotation.Applying},
		{rotation.StepInstall, rotation.Done}, {rotation.StepActivate, rotation.Applying}, {rotation.StepRollout, rotation.Waiting},
		{rotation.StepDrain, rotation.Done}, {rotation.StepRevoke, rotation.Applying}, {rotation.StepRevoke, rotation.Done},
		{rotation.StepSoak, rotation.Waiting}, {rotation.StepRetire, rotation.Applying},
	} {
		soak := "--soak=20s"
		if at.step == rotation.StepRetire {
			soak = "--soak=0"
		}
		r := w.start("restricted", "redis", "--yes", soak)
		if !r.comesTo(at.step, at.state) {
			t.Fatalf("it came to its end before %s was %s: %s", at.step, at.state, r.ended())
		}
		r.killed()
		if now := w.login(); !w.accepted("redis-0", now) || !w.accepted("redis-1", now) {
			t.Fatalf("killed at %s %s: the Secret's login %s is refused", at.step, at.state, now.user)
		}
	}
	w.rotate(0, "redis", "--yes", "--soak=0")
	w.standby("backend_v2", rules)
}

// A second operator is refused, and told who is at it; both targets of one platform can be rotated at once.
func TestTwoOperatorsAtRedis(t *testing.T) {
	long(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	first := w.start("restricted", "redis", "--yes", "--soak=15s")
	if !first.comesTo(rotation.StepSoak, rotation.Waiting) {
		t.Fatal(first.ended())
	}
	if r := w.as("admin", "redis", "--yes", "--soak=0"); r.code == 0 || !strings.Contains(r.stderr, "restricted") {
		t.Errorf("the second operator: %s", r)
	}
	if r := w.as("admin", "postgres", "--yes", "--soak=0"); r.code != 0 {
		t.Errorf("the other target: %s", r)
	}
	if r := first.ended(); r.code != 0 {
		t.Errorf("the first operator: %s", r)
	}
	w.standby("backend_v2", rules)
}

// A node that is away at revoke is named, the run stays under way, and goes on when it is back; nobody is locked out meanwhile.
func TestRedisNodeIsAwayAtRevoke(t *testing.T) {
	long(t)
	alone(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.loadedWith(50)
	old := w.login()
	w.rotate(3, "redis", "--yes", "--until=drain")
	frozen := w.frozen("redis-1")
	r := w.as("restricted", "redis", "--yes", "--soak=0", "--timeout=20s")
	if r.code != 1 && r.code != 3 || !strings.Contains(r.stdout+r.stderr, "connecting to redis-1 as default") {
		t.Errorf("while a node is away: %s", r)
	}
	frozen()
	w.rotate(0, "redis", "--yes", "--soak=0")
	for _, pod := range redisPods {
		if w.accepted(pod, old) {
			t.Errorf("%s still lets %s in", pod, old.user)
		}
	}
	w.standby("backend_v2", rules)
}

// frozen has a node answer nobody; the function that it gives has it start anew.
func (w *redisWorld) frozen(pod string) (thaw func()) {
	w.Helper()
	c := w.node(pod, w.admin())
	defer c.Close()
	w.must("pausing "+pod, c.Do(w.ctx, "CLIENT", "PAUSE", "600000", "ALL").Err())
	w.until(pod+" is silent", func() bool {
		probe := w.node(pod, w.admin())
		defer probe.Close()
		var late net.Error
		return errors.As(probe.Ping(w.ctx).Err(), &late) && late.Timeout()
	})
	return func() { w.restarted(pod) }
}
