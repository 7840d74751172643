package e2e

import "testing"

// Every request with which a rotation of Redis changes something in the cluster is held once before it is sent on, and once when it is
// done and unanswered; the run is killed with SIGKILL then, and the same command goes on. After each, both nodes let the Secret's login in.
func TestKillInEveryRequestOfRedis(t *testing.T) {
	long(t)
	alone(t)
	const app, record = "PATCH secrets/redis-credentials", "PATCH secrets/redis-credentials-rotate"
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.loadedWith(25)
	sound := func(what string) {
		if now := w.login(); !w.accepted("redis-0", now) || !w.accepted("redis-1", now) {
			t.Fatalf("killed in %s: the Secret's login %s is refused", what, now.user)
		}
	}
	killed := w.killedInEach(sound, "redis", "--yes", "--soak=0")
	w.standby("backend_v2", rules)
	w.killedIn(killed, "POST leases", "PUT leases/redis-credentials-rotate",
		"POST secrets", app, record, record, // begin, and both values
		app, "PATCH deployments/backend", app, // activate, rollout, the mark of the quarantine
		app, record) // the tombstone, and the value
	w.rotate(3, "redis", "--yes", "--again", "--until=rollout")
	w.killedInEach(sound, "abort", "redis", "--yes", "--soak=0")
	w.standby("backend_v2", rules)
}
