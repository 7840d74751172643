package rotationtest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Bounds say how far a search goes. Within them it leaves nothing out: crashes, restarts of containers and
// the order of events are not counted.
type Bounds struct {
	Told      bool // search a server that is told what to accept; else verifiers that read the Secret
	Single    bool // the server keeps one version at a time; with Told
	Asked     bool // the verifiers say themselves what they make of a version; without Told
	Attempts  int  // how many decisions operators may make: rotations, aborts and emergencies
	Pods      int  // how many pods the workload wants, 1 or 2
	Stale     bool // kubelets may hand a new pod the edition before the newest
	Stalled   bool // one operator may fall asleep right before any effect, and wake up at any time after
	Emergency bool // operators may declare a version compromised
	Gate      bool // there is a gate, which may be good or bad at any time
	Cut       bool // pods that may hold a compromised version are ended at once
	Reloads   bool // pods read a volume again, and are not restarted for it; with Asked
	Sessions  bool // something comes of a version that outlives it, and is ended where that is compromised; without Told

	Async bool     // what is published comes to the Secret later, or never
	Omits omission // what a store leaves out there, to show that the search notices; with Async
	Stuck bool     // that something does not come to its end is no finding

	Tenant  int       // how often somebody else may change any part of the record, at any time; with Told
	Obeying obedience // what a server takes the word of the record for, to show that the search notices; with Tenant

	// Sabotage changes the checklist before it is walked, to show that the search notices; nil leaves it as it is.
	Sabotage func([]rotation.Step) []rotation.Step
}

// Finding is a state that must not be, and how it came about.
type Finding struct {
	What string
	How  []string
}

// String tells the finding as a story, a line for each event.
func (f Finding) String() string {
	text := f.What
	for _, line := range f.How {
		text += "\n  " + line
	}
	return text
}

// Result is what a search has seen.
type Result struct {
	States  int // distinct states: a world, what the operator at work is at, and what the stalled one is about to do
	Worlds  int // distinct worlds among them
	Finding *Finding
}

// state is a world and the operators in it. It is all that the future depends on.
type state struct {
	world World
	work  process
	sleep sleeper
}

// process is an operator at work: what it works for, and the step it looks at next.
type process struct {
	on     bool
	intent intent
	want   want
	step   uint8
}

// want is a rotation.Want that can be compared.
type want struct{ back, compromised, over bool }

func (w want) record() rotation.Want {
	return rotation.Want{Back: w.back, Compromised: w.compromised, StartOver: w.over, Now: now()}
}

// sleeper is an operator that has stopped right before an effect: the world as it was when it began the turn.
type sleeper struct {
	on     bool
	world  World
	work   process
	effect uint8
}

type key [2]uint64

type search struct {
	Bounds
	seeds [2]maphash.Seed
	came  map[key]arrival
	queue []state
	good  map[World]bool // worlds from which everything that may be asked for comes to its end
	found *Finding
}

type arrival struct {
	from key
	how  string
}

// Search walks every state within the bounds, nearest first, and stops at the first that must not be.
func Search(b Bounds) Result {
	s := &search{Bounds: b, came: map[key]arrival{}, good: map[World]bool{}}
	s.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	s.visit(state{world: newWorld(b)}, key{}, "a target that was never rotated")
	for len(s.queue) > 0 && s.found == nil {
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.expand(next)
	}
	return Result{States: len(s.came), Worlds: len(s.good), Finding: s.found}
}

func (s *search) key(st state) key {
	return key{maphash.Comparable(s.seeds[0], st), maphash.Comparable(s.seeds[1], st)}
}

// visit looks at a state that was just reached, unless it was seen before.
func (s *search) visit(st state, from key, how string) {
	if !st.sleep.on {
		st.world.appMoved, st.world.recordMoved, st.world.providerMoved = false, false, false
	}
	k := s.key(st)
	if _, seen := s.came[k]; seen || s.found != nil {
		return
	}
	s.came[k] = arrival{from, how}
	if wrong := st.world.violation(); wrong != "" {
		s.report(k, wrong)
		return
	}
	if wrong := s.deadEnd(st.world); wrong != "" && !s.Stuck {
		s.report(k, wrong)
		return
	}
	s.queue = append(s.queue, st)
}

func (s *search) report(k key, what string) {
	f := &Finding{What: what}
	for ; k != (key{}); k = s.came[k].from {
		f.How = append(f.How, s.came[k].how)
	}
	slices.Reverse(f.How)
	s.found = f
}

// expand visits all that can follow st.
func (s *search) expand(st state) {
	k := s.key(st)
	for _, m := range st.world.environment() {
		next := st
		m.do(&next.world)
		s.visit(next, k, m.name)
	}
	if st.sleep.on {
		next := st
		next.sleep = sleeper{}
		s.wake(&next.world, st.sleep)
		s.visit(next, k, "the stalled operator wakes up and goes on")
	}
	if !st.work.on {
		for _, asked := range s.wants() {
			s.start(st, k, asked)
		}
		return
	}
	s.turn(st, k)
}

// wants are the things an operator may ask for.
func (s *search) wants() []want {
	wants := []want{{}, {back: true}}
	if s.Emergency {
		wants = append(wants, want{compromised: true})
	}
	if s.Tenant > 0 {
		wants = append(wants, want{over: true})
	}
	return wants
}

func (s *search) start(st state, k key, asked want) {
	i, err := s.decide(st.world, asked)
	if err != nil {
		return
	}
	st.work = process{on: true, intent: i, want: asked}
	s.visit(st, k, fmt.Sprintf("an operator starts: %s", i))
}

// errBounds says that a decision lies outside of what is searched.
var errBounds = errors.New("beyond the bounds of the search")

func (s *search) decide(w World, asked want) (intent, error) {
	i, err := rotation.Decide(w.record(), asked.record())
	if err != nil {
		return intent{}, err
	}
	if i.Attempt > s.Attempts || max(i.To, i.From) >= maxVersions {
		return intent{}, errBounds
	}
	return intentOf(i), nil
}

// turn has the operator at work take one turn, and every fault befall it that can.
func (s *search) turn(st state, k key) {
	next := st
	effects, _, err := s.advance(&next, fault{})
	wrong := s.undone(st, next)
	if err == nil && !st.world.tenant.tampered && !next.work.on && st.work.intent.compromised && next.world.exposed() {
		wrong = "it is over, and a pod still accepts what has leaked"
	}
	if wrong != "" {
		s.visit(next, k, s.describe(st, err))
		s.report(s.key(next), wrong)
		return
	}
	s.visit(next, k, s.describe(st, err))
	killed := st
	killed.work = process{}
	s.visit(killed, k, "it is killed")
	for n := 1; n <= effects; n++ {
		for _, kind := range []faultKind{killedBefore, killedAfter} {
			next := st
			_, _, _ = s.advance(&next, fault{n, kind})
			next.work = process{}
			s.visit(next, k, fmt.Sprintf("it is killed at effect %d of a turn at %s", n, s.stepName(st)))
		}
		if s.Stalled && !st.sleep.on {
			s.stall(st, k, n)
		}
	}
}

// stall has the operator at work fall asleep right before its nth effect of this turn.
func (s *search) stall(st state, k key, n int) {
	next := st
	_, _, _ = s.advance(&next, fault{n, stalled})
	next.sleep = sleeper{on: true, world: st.world, work: st.work, effect: uint8(n)}
	next.work = process{}
	next.world.appMoved, next.world.recordMoved, next.world.providerMoved = false, false, false
	s.visit(next, k, fmt.Sprintf("it stalls before effect %d of a turn at %s", n, s.stepName(st)))
}

// wake has a stalled operator go on in w: it takes its turn again in the world that it knew, up to the effect it
// had stopped at, and from there in w.
func (s *search) wake(w *World, sl sleeper) {
	past := sl.world
	op := &operator{world: &past, fault: fault{int(sl.effect), stalled}, resumed: w}
	run := s.runner(op, sl.work)
	_, _, _ = run.Advance(context.Background(), int(sl.work.step))
}

// advance has the operator at work take one turn with a fault, counts its effects, and gives what it has found.
func (s *search) advance(st *state, f fault) (effects int, found rotation.State, err error) {
	op := &operator{world: &st.world, fault: f}
	run := s.runner(op, st.work)
	next, found, err := run.Advance(context.Background(), int(st.work.step))
	st.work.step = uint8(next)
	if err != nil || next == len(run.Steps) {
		st.work = process{}
	}
	return op.effects, found, err
}

// runner is the real loop over the real list, on the parts of a world.
func (s *search) runner(op *operator, work process) *rotation.Runner {
	i := *work.intent.record()
	parts := rotation.Parts{System: verifiers{op}, Store: op, Consumers: op}
	switch {
	case s.Single:
		parts.System = single{server{op, s.Obeying}}
	case s.Told:
		parts.System = server{op, s.Obeying}
	case s.Asked:
		parts.System = asked{verifiers{op}}
	}
	setup := rotation.Setup{
		Parts: parts, Policy: rotation.Policy{Soak: wait, Lifetime: wait, Skew: skew, Reloads: s.Reloads},
		Environment: rotation.Environment{Now: now}, Want: work.want.record(),
	}
	if s.Sessions {
		setup.Aftermath = sessions{op}
	}
	if s.Gate {
		setup.Gates = []rotation.Gate{{Name: "gate", Look: op.gate}}
	}
	if s.Cut {
		setup.Cut = op.cut
	}
	steps := rotation.Overlap(setup, i)
	if s.Sabotage != nil {
		steps = s.Sabotage(steps)
	}
	return &rotation.Runner{
		Ledger: op, Intent: i, Mine: i.Mine, Steps: steps, Now: now,
		Consent: func(context.Context, rotation.Question) error { return nil },
	}
}

// undone looks for a step that was done before a turn and is not after it, although nothing else has happened.
func (s *search) undone(before, after state) string {
	if before.world == after.world || before.world.tenant.tampered {
		return ""
	}
	was := s.survey(before.world, before.work)
	is := s.survey(after.world, before.work)
	for j, step := range s.runner(&operator{world: &before.world}, before.work).Steps[:before.work.step] {
		if was[j].Phase == rotation.Done && is[j].Phase != rotation.Done {
			return fmt.Sprintf("a later step has made %s false: %s", step.Name, is[j].Note)
		}
	}
	return ""
}

func (s *search) survey(w World, work process) []rotation.State {
	return s.runner(&operator{world: &w}, work).Survey(context.Background())
}

func (s *search) stepName(st state) string {
	steps := s.runner(&operator{world: &st.world}, st.work).Steps
	if !st.work.on || int(st.work.step) >= len(steps) {
		return "the end"
	}
	return steps[st.work.step].Name
}

func (s *search) describe(before state, err error) string {
	text := "it takes a turn at " + s.stepName(before)
	if err != nil {
		text += " and stops: " + err.Error()
	}
	return text
}

// String tells an intent.
func (i intent) String() string {
	text := fmt.Sprintf("attempt %d, from v%d to v%d", i.attempt, i.from, i.to)
	if i.back {
		text += ", back"
	}
	if i.compromised {
		text += ", compromised"
	}
	return text
}
