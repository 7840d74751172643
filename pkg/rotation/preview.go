package rotation

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// preview is a store that writes nothing: what it is told stays in memory, over what the real one
// says.
type preview struct {
	Store
	pending []func(*Record)
	now     func() time.Time
}

func (p *preview) Load(ctx context.Context) (Record, error) {
	rec, err := p.Store.Load(ctx)
	if err != nil {
		return rec, err
	}
	rec = rec.Clone()
	if rec.Live == nil {
		rec.Live = map[Version]Credential{}
	}
	for _, change := range p.pending {
		change(&rec)
	}
	return rec, nil
}

func (p *preview) write(change func(*Record)) error {
	p.pending = append(p.pending, change)
	return nil
}

func (p *preview) Stage(_ context.Context, _ string, c Credential) error {
	return p.write(func(r *Record) {
		r.Live[c.V] = c
		if c.Same(r.Current) {
			r.Current.V = c.V
		}
	})
}

func (p *preview) Publish(_ context.Context, _ string, v View) error {
	return p.write(func(r *Record) {
		r.Editions = append(r.Editions, Edition{N: r.Latest().N + 1, View: v, Written: p.now()})
		r.Current, r.Arriving = r.Live[v.Active], nil
	})
}

func (p *preview) Note(_ context.Context, _ string, change func(*Record)) error {
	return p.write(change)
}

func (p *preview) Retire(_ context.Context, _ string, v Version) error {
	return p.write(func(r *Record) {
		gone := maps.Clone(r.Gone)
		if gone == nil {
			gone = map[Version]Tombstone{}
		}
		gone[v] = Tombstone{ID: r.Live[v].ID, At: p.now()}
		r.Gone = gone
		delete(r.Live, v)
	})
}

// Planned is a step of a rotation that has not been made: how things stand, and what would be done.
type Planned struct {
	Step  string   `json:"step"`
	Goal  string   `json:"goal"`
	State Phase    `json:"state"`
	Note  string   `json:"note,omitempty"`
	Lines []string `json:"lines,omitempty"`
	Items []Item   `json:"items,omitempty"` // what was looked at: before a rotation begins, or as gates
	Final bool     `json:"final,omitempty"` // there is no way back after it

	Section Section `json:"-"`
}

// mostApplied is how often a plan applies one step: stage saves two values, one at a time.
const mostApplied = 3

// Planned is a step of which nothing is known yet but what it is for.
func (s Step) Planned() Planned {
	return Planned{Step: s.Name, Goal: s.Goal, Section: s.Section, Final: s.Final}
}

// Plan is what a run that wants w would do, step by step. It writes nothing anywhere. A preflight's
// refusal is returned as it would be by a run.
func (r Rotation) Plan(ctx context.Context, w Want) (Intent, []Planned, error) {
	intent, err := r.Decide(ctx, w)
	if err != nil {
		return Intent{}, nil, err
	}
	rec, err := r.Store.Load(ctx)
	if err != nil {
		return intent, nil, err
	}
	protected, err := r.protect(ctx, intent, rec)
	if err != nil {
		return intent, nil, err
	}
	r.Store = &preview{Store: r.Store, now: r.now}
	r.Setup = r.atOnce()
	steps, err := until(r.list(intent, w), w.Until)
	if err != nil {
		return intent, nil, err
	}
	var plan []Planned
	for _, step := range steps {
		p, err := r.plan(ctx, step)
		if err != nil {
			return intent, plan, fmt.Errorf("%s: %w", step.Name, err)
		}
		plan = append(plan, p)
	}
	plan[0].Items = append(protected, plan[0].Items...)
	return intent, plan, nil
}

// plan looks at one step as it will be when its turn has come: what would be recorded before it,
// is.
func (r Rotation) plan(ctx context.Context, step Step) (Planned, error) {
	p := step.Planned()
	for range mostApplied {
		rec, err := r.Store.Load(ctx)
		if err != nil {
			return p, err
		}
		s, err := step.Check(ctx, rec)
		if err != nil {
			return p, err
		}
		if p.State == "" {
			p.State, p.Note = s.Phase, s.Note
			if step.Shows && step.Guard == nil {
				p.Items = s.Items
			}
		}
		if s.Phase == Done {
			return p, nil
		}
		if step.Plan != nil && p.Lines == nil {
			if p.Lines, err = step.Plan(ctx, rec); err != nil {
				return p, err
			}
		}
		if !step.Recorded {
			return p, nil
		}
		if step.Shows && step.Guard != nil {
			g, err := step.Guard(ctx, rec)
			if err != nil {
				return p, err
			}
			p.Items = g.Items
		}
		if err := step.Apply(ctx, rec); err != nil {
			return p, err
		}
	}
	return p, nil
}
