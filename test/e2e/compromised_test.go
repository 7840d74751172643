package e2e

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A login that has leaked, while somebody else uses it: it is refused, and his session ended, as soon as the rollout is through,
// or with --cut before it. No soak, no way back.
func TestCompromisedLogin(t *testing.T) {
	long(t)
	alone(t)
	for _, cut := range []bool{false, true} {
		t.Run(map[bool]string{false: "rolling", true: "cut"}[cut], func(t *testing.T) {
			w := newWorld(t)
			old := w.login()
			thief, err := w.connect(old, "demo-platform")
			w.must("coming in as the thief", err)
			defer thief.Close(w.ctx)
			args := []string{"postgres", "--compromised", "--yes"}
			order := []string{"rollout", "revoke", "retire"}
			if cut {
				args, order = append(args, "--cut"), []string{"revoke", "rollout", "retire"}
			} else {
				w.loaded()
			}
			plan := w.rotate(0, append(args, "--dry-run")...)
			if at(plan.stdout, order[0]) > at(plan.stdout, order[1]) || strings.Contains(plan.stdout, "\nsoak") || strings.Contains(plan.stdout, "\ndrain") {
				t.Errorf("the plan is another one: %s", plan)
			}
			w.rotate(3, append(args, "--until=activate")...)
			if r := w.as("restricted", "abort", "postgres", "--yes"); r.code == 0 || !strings.Contains(r.stderr, "has leaked: there is no way back") {
				t.Errorf("an abort was not refused: %s", r)
			}
			w.rotate(0, args...)
			if w.accepted(old) {
				t.Errorf("%s still gets in", old.user)
			}
			if err := thief.Ping(w.ctx); err == nil {
				t.Error("the thief's session is still there")
			}
			w.standby("backend_v2")
		})
	}
}

// A login at Redis that has leaked: refused at every node, and sessions of it ended there, as soon as the rollout is through, or with
// --cut before it.
func TestCompromisedRedisLogin(t *testing.T) {
	long(t)
	alone(t)
	for _, cut := range []bool{false, true} {
		t.Run(map[bool]string{false: "rolling", true: "cut"}[cut], func(t *testing.T) {
			w := newRedis(t)
			rules := w.rules("redis-0")["backend"]
			old := w.login()
			var thieves []*redis.Conn
			for _, pod := range redisPods {
				c := w.node(pod, old)
				defer c.Close()
				thieves = append(thieves, c.Conn())
				w.must("coming in as the thief", thieves[len(thieves)-1].Ping(w.ctx).Err())
			}
			args := []string{"redis", "--compromised", "--yes"}
			order := []string{"rollout", "revoke", "retire"}
			if cut {
				args, order = append(args, "--cut"), []string{"revoke", "rollout", "retire"}
			} else {
				w.loadedWith(50)
			}
			plan := w.rotate(0, append(args, "--dry-run")...)
			if at(plan.stdout, order[0]) > at(plan.stdout, order[1]) || at(plan.stdout, "soak") >= 0 || at(plan.stdout, "drain") >= 0 {
				t.Errorf("the plan is another one: %s", plan)
			}
			w.rotate(3, append(args, "--until=activate")...)
			if r := w.as("restricted", "abort", "redis", "--yes"); r.code == 0 || !strings.Contains(r.stderr, "has leaked: there is no way back") {
				t.Errorf("an abort was not refused: %s", r)
			}
			w.rotate(0, args...)
			for i, pod := range redisPods {
				if w.accepted(pod, old) {
					t.Errorf("%s still lets %s in", pod, old.user)
				}
				if err := thieves[i].Ping(w.ctx).Err(); err == nil {
					t.Errorf("the thief's session is still there at %s", pod)
				}
			}
			w.calm()
			w.standby("backend_v2", rules)
		})
	}
}

// at is where a step's line begins in a plan.
func at(plan, step string) int { return strings.Index(plan, "\n"+step+" ") }
