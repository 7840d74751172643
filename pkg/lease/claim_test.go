package lease

import (
	"os"
	"os/exec"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	me := Holder{User: "bob", Host: "desk", PID: 7, Machine: "desk 1"}
	here := Holder{User: "alice", Host: "desk", PID: 4711, Machine: "desk 1"}
	rebooted := Holder{User: "alice", Host: "desk", PID: 4711, Machine: "desk 0"}
	away := Holder{User: "alice", Host: "laptop", PID: 4711, Machine: "laptop 1"}
	stranger := Holder{User: "something"}
	nameless := Holder{User: "alice", Host: "mac", PID: 4711}
	for _, c := range []struct {
		name   string
		holder Holder
		theirs Doing
		ours   Doing
		ago    time.Duration // since they were heard
		gone   bool          // no process here has their number
		want   verdict
	}{
		{"nobody", Holder{}, "", Rotating, 0, true, free},
		{"a live one here", here, Rotating, Rotating, time.Second, false, alive},
		{"a dead one here", here, Rotating, Rotating, time.Second, true, dead},
		{"one of before a restart", rebooted, Rotating, Rotating, time.Second, true, unknown},
		{"one elsewhere", away, Rotating, Rotating, time.Second, true, unknown},
		{"one elsewhere, silent just short of the end", away, Rotating, Rotating, Duration - 1, true, unknown},
		{"one elsewhere, silent for too long", away, Rotating, Rotating, Duration, true, expired},
		{"a live one here, silent for too long", here, Rotating, Rotating, Duration, false, expired},
		{"something else's", stranger, "", Rotating, time.Second, true, unknown},
		{"one of a machine that is not known", nameless, Rotating, Rotating, time.Second, true, unknown},
		{"an abort goes before a rotation", here, Rotating, Aborting, time.Second, false, yields},
		{"elsewhere too", away, Rotating, Aborting, time.Second, true, yields},
		{"not before another abort", here, Aborting, Aborting, time.Second, false, alive},
		{"a rotation waits for an abort", away, Aborting, Rotating, time.Second, true, unknown},
		{"a leak goes before everything", away, Aborting, Replacing, time.Second, true, yields},
		{"before another answer to it too", here, Replacing, Replacing, time.Second, false, yields},
	} {
		t.Run(c.name, func(t *testing.T) {
			theirs := claim{holder: c.holder, doing: c.theirs, since: noon.Add(-time.Hour), heard: noon.Add(-c.ago), length: Duration}
			if got := theirs.judge(me, c.ours, noon, func(int) bool { return c.gone }); got != c.want {
				t.Errorf("verdict %d, want %d", got, c.want)
			}
		})
	}
}

// What is written is what is read, whatever the user is called.
func TestClaimInALease(t *testing.T) {
	for _, user := range []string{"alice", "system:serviceaccount:ops:rotate", "bob on call, pid 3", "a on b"} {
		want := claim{
			holder: Holder{User: user, Host: "desk.example", PID: 4711, Machine: "desk.example 1"},
			doing:  Aborting, since: noon, heard: noon.Add(time.Minute), length: Duration,
		}
		var l coordinationv1.Lease
		want.write(&l)
		if got := claimOf(&l); got.holder != want.holder || !got.same(want) || got.doing != want.doing || !got.ends().Equal(want.ends()) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := claimOf(given(&l)); got != (claim{}) {
			t.Errorf("given back, it is still %v's", got.holder)
		}
	}
}

func TestProcessesThatAreGone(t *testing.T) {
	if gone(os.Getpid()) {
		t.Error("this very process is said to have ended")
	}
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if !gone(c.Process.Pid) {
		t.Error("a process that has ended is said to be there")
	}
	if me := Me("alice"); !me.near(me) || me.Machine == me.Host {
		t.Errorf("this machine is not told from others: %+v", me)
	}
}
