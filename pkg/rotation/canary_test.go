package rotation

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"
)

// cage keeps canaries that a test has put there.
type cage struct {
	pods    []CanaryPod
	started int
	ended   []string
}

func (c *cage) Look(context.Context) ([]CanaryPod, error) { return slices.Clone(c.pods), nil }

func (c *cage) Start(_ context.Context, rec Record) error {
	c.started++
	c.pods = append(c.pods, CanaryPod{Pod: Pod{Name: "canary", Created: noon}, Of: "deployment/backend", Attempt: rec.Intent.Attempt})
	return nil
}

func (c *cage) End(_ context.Context, p CanaryPod) error {
	c.ended = append(c.ended, p.Name)
	c.pods = slices.DeleteFunc(c.pods, func(q CanaryPod) bool { return q.Name == p.Name })
	return nil
}

func (c *cage) Plan(context.Context) ([]string, error) { return nil, nil }

// trial is a rotation from v1 to v2 that is about to have a canary.
type trial struct {
	made
	parts    *overlap
	cage     *cage
	now      time.Time
	sessions []Session
	rec      Record
}

func newTrial(i Intent) *trial {
	t := &trial{cage: &cage{}, now: noon}
	t.rec = Record{Intent: &i, Live: live(1, 2), Editions: editions(only(1))}
	t.made = made{Setup{
		Parts:       Parts{System: heard{sessions: &t.sessions}, Store: decided{intent: i}, Consumers: &fleet{}},
		Policy:      Policy{TryFirst: true, Skew: time.Second},
		Environment: Environment{Canary: t.cage, Now: func() time.Time { return t.now }},
	}, i}
	t.parts = t.overlap()
	return t
}

// heard is a Server that is asked for sessions alone.
type heard struct {
	Server
	sessions *[]Session
}

func (h heard) InUse(context.Context, Credential) (Usage, error) {
	return Usage{Known: true, Sessions: *h.sessions}, nil
}

func (t *trial) want(test *testing.T, step Step, phase Phase, note string) {
	test.Helper()
	s, err := step.Check(test.Context(), t.rec)
	if err != nil || s.Phase != phase || s.Note != note {
		test.Errorf("%s is %q (%s), %v; want %q (%s)", step.Name, s.Phase, s.Note, err, phase, note)
	}
}

func (t *trial) apply(test *testing.T, step Step) {
	test.Helper()
	if err := step.Apply(test.Context(), t.rec); err != nil {
		test.Fatal(err)
	}
}

var toSecond = Intent{From: 1, To: 2, Attempt: 1}

// A canary is no proof before it is ready and the server has a session of the new version from it.
func TestACanaryHasToBeSeenAtTheServer(t *testing.T) {
	c := newTrial(toSecond)
	c.want(t, c.parts.canaries.step(), ToDo, "no pod has tried v2")
	c.apply(t, c.parts.canaries.step())
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: starting")
	c.cage.pods[0].Ready, c.cage.pods[0].Addresses = true, []string{"10.0.0.9"}
	c.sessions = []Session{{Address: "10.0.0.8", Since: noon.Add(time.Second)}, {Address: "10.0.0.9", Since: noon.Add(-time.Hour)}}
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: ready; no session of loginv2 yet")
	c.sessions[0].Address = "10.0.0.9"
	c.want(t, c.parts.canaries.step(), Done, "a copy of deployment/backend: ready, with 1 sessions of loginv2")
	if c.cage.started != 1 {
		t.Errorf("started %d", c.cage.started)
	}
}

// An application that connects only when it is asked for something, or by way of a pooler, is not seen: that is asked for.
func TestACanaryThatIsNotSeenIsUnproven(t *testing.T) {
	c := newTrial(toSecond)
	c.apply(t, c.parts.canaries.step())
	c.cage.pods[0].Ready = true
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: ready; no session of loginv2 yet")
	c.now = c.now.Add(canaryPatience)
	if s, err := c.parts.canaries.step().Check(t.Context(), c.rec); err != nil || s.Phase != Doubtful {
		t.Errorf("%+v, %v", s, err)
	}
}

// How long a canary may be unseen counts anew when it was not ready in between: it has had no time to connect since.
func TestACanaryThatStartsAgainHasItsTimeAgain(t *testing.T) {
	c := newTrial(toSecond)
	c.apply(t, c.parts.canaries.step())
	for _, problem := range []string{"", "CrashLoopBackOff: exit code 1"} {
		c.cage.pods[0].Ready, c.cage.pods[0].Problem = true, ""
		c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: ready; no session of loginv2 yet")
		c.cage.pods[0].Ready, c.cage.pods[0].Problem = false, problem
		c.now = c.now.Add(canaryPatience)
		c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: "+cmp.Or(problem, "starting"))
	}
	c.cage.pods[0].Ready, c.cage.pods[0].Problem = true, ""
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: ready; no session of loginv2 yet")
}

// What ails a canary may pass. What stays ends the rotation before anybody was handed the new version.
func TestACanaryThatStaysUnwellFails(t *testing.T) {
	c := newTrial(toSecond)
	c.apply(t, c.parts.canaries.step())
	c.cage.pods[0].Problem = "CrashLoopBackOff: exit code 1"
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: CrashLoopBackOff: exit code 1")
	c.now = c.now.Add(canaryPatience - time.Second)
	c.cage.pods[0].Problem = ""
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: starting")
	c.cage.pods[0].Problem = "CrashLoopBackOff: exit code 1"
	c.now = c.now.Add(time.Minute)
	c.want(t, c.parts.canaries.step(), Waiting, "a copy of deployment/backend: CrashLoopBackOff: exit code 1")
	c.now = c.now.Add(canaryPatience)
	c.want(t, c.parts.canaries.step(), Failed, "a copy of deployment/backend: CrashLoopBackOff: exit code 1")
}

// The canary of an attempt that was taken back says nothing about another value.
func TestACanaryOfAnotherAttemptIsReplaced(t *testing.T) {
	c := newTrial(Intent{From: 1, To: 2, Attempt: 3})
	c.cage.pods = []CanaryPod{{Pod: Pod{Name: "earlier", Ready: true}, Attempt: 1}}
	c.want(t, c.parts.canaries.step(), ToDo, "no pod has tried v2")
	c.apply(t, c.parts.canaries.step())
	if !slices.Equal(c.cage.ended, []string{"earlier"}) || c.cage.started != 1 {
		t.Errorf("ended %v, started %d", c.cage.ended, c.cage.started)
	}
}

// Once the new version is active the canary has nothing to say any more, and the rollout is not done before it is gone.
func TestTheCanaryIsRemovedByTheRollout(t *testing.T) {
	c := newTrial(toSecond)
	c.apply(t, c.parts.canaries.step())
	c.rec.Editions = editions(only(1), only(2))
	c.want(t, c.parts.canaries.step(), Done, "v2 is active")
	c.want(t, c.parts.onTarget().step(), ToDo, "0 of 0 pods on v2")
	c.cage.pods[0].Terminating = true
	c.want(t, c.parts.onTarget().step(), Waiting, "0 of 0 pods on v2")
	c.cage.pods[0].Terminating = false
	c.apply(t, c.parts.onTarget().step())
	c.want(t, c.parts.onTarget().step(), Done, "0 of 0 pods on v2")
	if !slices.Equal(c.cage.ended, []string{"canary"}) {
		t.Errorf("ended %v", c.cage.ended)
	}
}

func TestNothingIsTriedOnTheWayBackOrAfterALeak(t *testing.T) {
	for name, c := range map[string]struct {
		intent Intent
		asked  bool
		want   bool
	}{
		"asked for":      {toSecond, true, true},
		"not asked for":  {toSecond, false, false},
		"on the way":     {Intent{From: 2, To: 1, Attempt: 2, Back: true}, true, false},
		"after the leak": {Intent{From: 1, To: 2, Attempt: 1, Compromised: true}, true, false},
	} {
		o := newTrial(c.intent)
		o.TryFirst = c.asked
		has := slices.ContainsFunc(Overlap(o.Setup, c.intent), func(s Step) bool { return s.Name == StepCanary })
		if has != c.want {
			t.Errorf("%s: in the list is %v, want %v", name, has, c.want)
		}
	}
}
