package checklist

import (
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestRolloutInEverySize(t *testing.T) {
	for name, size := range map[string][2]int{
		"rollout": {80, 24}, "rollout-40": {40, 24}, "rollout-200": {200, 50}, "rollout-short": {80, 10},
	} {
		d := sit(t, size[0], size[1])
		d.rolling()
		d.shows(name)
	}
}

func TestBeforeAnythingBegins(t *testing.T) {
	d := sit(t, 80, 24)
	d.shows("nothing-yet")
	d.plan()
	d.asked("begin", rotation.ConsentProceed, "rotate v1 to v2; until v1 is retired, `kubectl rotate abort` undoes it")
	d.shows("begin-asks")
	d.press("down", "down", "enter")
	d.shows("begin-asks-install-open")
}

func TestWhatIsBesideTheList(t *testing.T) {
	d := sit(t, 80, 24)
	d.rolling()
	d.press("a")
	d.shows("abort")
	d.press("n", "?")
	d.shows("help")
	d.see(logMsg("note: deployment/reports: one replica\nI0301 round_trippers.go:632] \"Response\" status=\"200 OK\"\n"))
	d.press("l")
	d.shows("log")
	d.press("esc", "p")
	d.see(heldMsg(true))
	d.shows("paused")
}

func TestSoakCountsDown(t *testing.T) {
	d := sit(t, 80, 24)
	d.rolling()
	d.done("rollout", "4 of 4 pods on v2", time.Second)
	d.done("drain", "0 sessions of backend", time.Second)
	d.done("revoke", "backend refused", time.Second)
	d.event(time.Second, rotation.Event{
		Step: "soak", State: rotation.Waiting, Note: "backend refused since 12:00:10", Until: d.clock.Add(10 * time.Minute),
	})
	d.later(95 * time.Second)
	d.shows("soak")
}

func TestFailingPodIsSeenAtOnce(t *testing.T) {
	d := sit(t, 80, 24)
	d.rolling()
	d.event(time.Second, rotation.Event{Step: "rollout", State: rotation.Failed, Note: "1 of 4 pods on v2", Items: []rotation.Item{
		{Of: "deployment/backend", Name: "pod/backend-5d-1", Phase: rotation.Failed, Note: "CrashLoopBackOff: exit code 1: FATAL: no route to the database"},
		{Of: "deployment/backend", Name: "pod/backend-77-1", Phase: rotation.ToDo, Note: "old"},
	}})
	d.shows("failing")
}

func TestExpectedTimesStandBesideTheElapsedOnes(t *testing.T) {
	d := sit(t, 80, 24)
	d.see(usualMsg{"install": time.Second, "rollout": 42 * time.Second, "drain": 1200 * time.Millisecond, "soak": 10 * time.Minute})
	d.rolling()
	d.shows("expected")
}

func TestHandoverOnTheScreen(t *testing.T) {
	for name, size := range map[string][2]int{"handover": {80, 30}, "handover-40": {40, 24}} {
		d := sit(t, size[0], size[1])
		d.m.options.Secret = "postgresql-credentials"
		d.m.options.Commands = func(bool) (string, string) {
			return "kubectl rotate postgres --context prod-eu -n default", "kubectl rotate abort postgres --context prod-eu -n default"
		}
		d.see(usualMsg{"rollout": 42 * time.Second})
		d.rolling()
		d.press("L")
		d.shows(name)
		d.press("L")
		if d.m.pane != paneSteps || !d.m.handing {
			t.Errorf("pane %v, handing %v", d.m.pane, d.m.handing)
		}
	}
}
