package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// shelf is a store in memory for one operator: nobody else writes to it.
type shelf struct {
	rec rotation.Record
}

func newShelf(current rotation.Credential) *shelf {
	current.V = 0
	return &shelf{rotation.Record{Current: current, Live: map[rotation.Version]rotation.Credential{}, Gone: map[rotation.Version]rotation.Tombstone{}}}
}

func (s *shelf) Load(context.Context) (rotation.Record, error) { return s.rec.Clone(), nil }

func (s *shelf) Stage(_ context.Context, _ string, c rotation.Credential) error {
	s.rec.Live[c.V] = c
	if c.Same(s.rec.Current) {
		s.rec.Current.V = c.V
	}
	return nil
}

func (s *shelf) Publish(_ context.Context, _ string, v rotation.View) error {
	s.rec.Editions = append(s.rec.Editions, rotation.Edition{N: s.rec.Latest().N + 1, View: v, Written: time.Now()})
	s.rec.Current = s.rec.Live[v.Active]
	return nil
}

func (s *shelf) Note(_ context.Context, _ string, change func(*rotation.Record)) error {
	change(&s.rec)
	return nil
}

func (s *shelf) Retire(_ context.Context, _ string, v rotation.Version) error {
	s.rec.Gone[v] = rotation.Tombstone{ID: s.rec.Live[v].ID, At: time.Now(), Attempt: s.rec.Intent.Attempt}
	delete(s.rec.Live, v)
	return nil
}

func (s *shelf) Plan(context.Context, rotation.Record, rotation.View) ([]string, error) {
	return nil, nil
}

// nobody reads the Secret.
type nobody struct{}

func (nobody) Workloads(context.Context) ([]rotation.Workload, error)         { return nil, nil }
func (nobody) Move(context.Context, rotation.Workload, int) error             { return nil }
func (nobody) Replace(context.Context, rotation.Workload, rotation.Pod) error { return nil }

// operator runs a whole rotation and hears what it says.
type operator struct {
	rotation.Rotation
	heard []rotation.Event
}

func (p *pair) operator(s *Server) *operator {
	o := &operator{}
	o.Rotation = rotation.Rotation{
		Target:  "postgres",
		Setup:   rotation.Setup{Parts: rotation.Parts{System: s, Store: newShelf(p.current), Consumers: nobody{}}},
		Consent: func(context.Context, rotation.Question) error { return nil },
		Emit:    func(e rotation.Event) { o.heard = append(o.heard, e) },
		Timeout: time.Second,
	}
	return o
}

// until runs to the end of a step, or to the end of all.
func (o *operator) until(t *testing.T, step string, want rotation.Outcome) {
	t.Helper()
	o.heard = nil
	result, err := o.Run(context.Background(), rotation.Want{MinAge: time.Hour, Until: step})
	if err != nil || result.Outcome != want {
		t.Fatalf("until %q: %v, %v; want %v", step, result.Outcome, err, want)
	}
}

// said are the notes of a step in one of the states.
func (o *operator) said(step string, state rotation.Phase) (notes []string) {
	for _, e := range o.heard {
		if e.Step == step && e.State == state {
			notes = append(notes, e.Note)
		}
	}
	return notes
}

// A failover to a standby that had received nothing of the rotation loses the new login and brings the old one back, wherever the
// rotation was. The next run sees both, says so, and mends both.
func TestFailoverThatLosesTheRotation(t *testing.T) {
	for _, step := range []string{rotation.StepInstall, rotation.StepActivate, rotation.StepRevoke, rotation.StepRetire} {
		t.Run("after "+step, func(t *testing.T) {
			p := newPair(t)
			p.eventually(p.current, rotation.Accepts)
			p.must("halt the standby", p.standby.Halt())
			s := p.both()
			s.Nodes = s.Nodes[:1] // one address, behind which the server changes
			o := p.operator(s)
			outcome := rotation.UnderWay
			if step == rotation.StepRetire {
				outcome = rotation.Finished
			}
			o.until(t, step, outcome)
			p.must("halt", p.Halt())
			p.must("resume the standby", p.standby.Resume())
			p.standby.Exec(t, "postgres", "SELECT pg_promote()")
			s.Nodes[0].Port, s.Nodes[0].Dial = uint16(p.standby.Port), postgrestest.Dial(viaScram)

			o.until(t, "", rotation.Finished)
			if got := strings.Join(o.said(rotation.StepInstall, rotation.ToDo), "; "); !strings.Contains(got, "backend_v2: absent") {
				t.Errorf("that the new login is lost was said like this: %q", got)
			}
			p.onlyLogin("backend_v2")
			if live := slices.Collect(maps.Keys(o.Store.(*shelf).rec.Live)); !slices.Equal(live, []rotation.Version{2}) {
				t.Errorf("on record: %v", live)
			}
		})
	}
}

// onlyLogin wants the promoted standby to let one role in.
func (p *pair) onlyLogin(name string) {
	p.t.Helper()
	got := p.standby.Value(p.t, "postgres", "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolcanlogin AND rolname <> 'postgres'")
	if got != name {
		p.t.Errorf("logins: %s, want %s", got, name)
	}
}

// A standby that lags, or that is away, holds install up before anything is activated, by name; one that lags or is away at the revoke
// keeps the old login from being forgotten; a session on it holds drain. When it is back, the same command comes to its end.
func TestStandbyThatLagsOrIsAwayHoldsTheRotationUp(t *testing.T) {
	p := newPair(t)
	o := p.operator(p.both())
	waits := func(step, phrase string) {
		t.Helper()
		o.until(t, "", rotation.UnderWay)
		last := o.heard[len(o.heard)-1]
		if text := fmt.Sprint(last.Note, last.Items); last.Step != step || !strings.Contains(text, phrase) {
			t.Errorf("it waits at %s: %s, want %s and %q", last.Step, text, step, phrase)
		}
	}
	p.replay(false)
	waits(rotation.StepInstall, "pg-1")
	p.replay(true)
	p.must("halt", p.standby.Halt())
	waits(rotation.StepInstall, "pg-1")
	if active := o.Store.(*shelf).rec.Active(); active != 1 {
		t.Errorf("%v is active, although a standby was away", active)
	}
	p.must("resume", p.standby.Resume())
	reader := *p.app
	reader.Cluster = p.standby
	conn := reader.opened(p.current)
	waits(rotation.StepDrain, "the application")
	p.must("closing", conn.Close(context.Background()))
	hear, halted := o.Emit, false
	o.Emit = func(e rotation.Event) {
		if hear(e); e.Step == rotation.StepDrain && !halted { // while nobody is watched for on it
			halted = true
			p.must("halt", p.standby.Halt())
		}
	}
	o.Window = 500 * time.Millisecond
	waits(rotation.StepDrain, "who is connected to pg-1 is not known")
	o.Emit, o.Window = hear, 0
	waits(rotation.StepInstall, "pg-1") // a run that begins now meets it earlier
	if can := p.Value(t, "postgres", "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = 'backend'"); can != "true" {
		t.Error("the old login was refused, although nobody knows who uses it at the standby")
	}
	p.must("resume", p.standby.Resume())
	p.replay(false)
	waits(rotation.StepRevoke, "pg-1")
	p.must("halt", p.standby.Halt())
	waits(rotation.StepInstall, "pg-1")
	p.must("resume", p.standby.Resume())
	o.until(t, "", rotation.Finished)
	p.eventually(o.Store.(*shelf).rec.Current, rotation.Accepts)
}
