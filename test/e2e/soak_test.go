package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// What makes a soak: how long it may last, what it is repeated from, and the folder of a cluster whose API server it may
// stop. Without the first, it is skipped.
const (
	soakVariable    = "KUBECTL_ROTATE_SOAK"
	seedVariable    = "KUBECTL_ROTATE_SEED"
	clusterVariable = "KUBECTL_ROTATE_CLUSTER"
)

const (
	soakRotations = 50
	outage        = 20 * time.Second
	longest       = 12 * time.Second // until a run is killed or interrupted, at the most
)

// Fifty rotations in a row under load: some are left alone, others are killed, interrupted, or taken back at a random
// moment, and in the middle the API server is away for a while. After each the platform is as if nothing had happened, and no
// request is lost.
func TestSoak(t *testing.T) {
	alone(t)
	limit, err := time.ParseDuration(os.Getenv(soakVariable))
	if err != nil {
		t.Skipf("%s says no duration: see `make soak`", soakVariable)
	}
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit+10*time.Minute)
	defer cancel()
	w.ctx = ctx
	s := newSoak(w)
	w.loaded()
	end := time.Now().Add(limit)
	for s.rotations < soakRotations && time.Now().Before(end) {
		if s.rotations == soakRotations/2 && os.Getenv(clusterVariable) != "" {
			s.outage()
		} else {
			s.disturbed()
		}
		s.rotations++
		w.standby(w.login().user)
		if t.Failed() {
			t.Fatalf("after rotation %d, seed %d", s.rotations, s.seed)
		}
	}
	t.Logf("%d rotations, %d of them disturbed: %v", s.rotations, s.rotations-s.ends["left alone"], s.ends)
}

type soak struct {
	*world
	seed      uint64
	random    *rand.Rand
	rotations int
	ends      map[string]int
}

func newSoak(w *world) *soak {
	s := &soak{world: w, seed: rand.Uint64(), ends: map[string]int{}}
	if given, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64); err == nil {
		s.seed = given
	}
	w.Logf("%s=%d", seedVariable, s.seed)
	s.random = rand.New(rand.NewPCG(s.seed, 0))
	return s
}

// disturbed is one rotation, with what chance has for it.
func (s *soak) disturbed() {
	s.Helper()
	switch s.random.IntN(5) {
	case 0:
		s.ends["left alone"]++
	case 1, 2:
		s.ends["killed"]++
		s.cut(syscall.SIGKILL)
	case 3:
		s.ends["interrupted"]++
		s.cut(syscall.SIGINT)
	case 4:
		s.ends["taken back"]++
		s.cut(syscall.SIGKILL)
		if s.takenBack() {
			return
		}
	}
	s.rotate(0, "postgres", "--yes", "--soak=1s", "--again")
}

// takenBack goes back to the version of before; false where that is erased already, or nothing is under way.
func (s *soak) takenBack() bool {
	s.Helper()
	r := s.as("restricted", "abort", "postgres", "--yes", "--soak=1s")
	if r.code != 0 && r.code != 4 {
		s.Fatalf("rotation %d, seed %d: %s", s.rotations, s.seed, r)
	}
	return r.code == 0
}

// cut begins a rotation and ends it by a signal at a random moment, if it has not come to its end before.
func (s *soak) cut(by syscall.Signal) {
	s.Helper()
	c := s.command("restricted", "postgres", "--yes", "--soak=1s", "--again")
	s.must("starting", c.Start())
	after := time.AfterFunc(time.Duration(s.random.Int64N(int64(longest))), func() { _ = c.Process.Signal(by) })
	_ = c.Wait()
	after.Stop()
	if !s.accepted(s.login()) {
		s.Fatalf("%v at rotation %d, seed %d: the Secret's login %s is refused", by, s.rotations, s.seed, s.login().user)
	}
}

// outage is a rotation in the middle of which the API server is away.
func (s *soak) outage() {
	s.Helper()
	s.ends["without an API server"]++
	c := s.command("restricted", "postgres", "--yes", "--soak=1s", "--again")
	s.must("starting", c.Start())
	s.pause(time.Duration(s.random.Int64N(int64(longest))))
	s.component("stop")
	s.pause(outage)
	s.component("start")
	_ = c.Wait() // whatever came of it
	s.rotate(0, "postgres", "--yes", "--soak=1s")
}

func (s *soak) pause(d time.Duration) {
	s.Helper()
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
		s.Fatal(s.ctx.Err())
	}
}

func (s *soak) component(verb string) {
	s.Helper()
	c := exec.CommandContext(s.ctx, "go", "run", "-C", "../cluster", ".", "--dir", os.Getenv(clusterVariable), verb, "kube-apiserver")
	if out, err := c.CombinedOutput(); err != nil {
		s.Fatalf("%s kube-apiserver: %v\n%s", verb, err, out)
	}
}
