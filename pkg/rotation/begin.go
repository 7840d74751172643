package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// decision is the beginning of a list: it makes the intent durable.
type decision struct {
	core
	want      Want
	gap       string // what consumers lose in between; "" is nothing
	warning   string // what else an emergency ends
	preflight []func(context.Context, Record) ([]Item, error)
	skips     skips

	without []string // what preflight has found missing that the operator may begin without
}

// begin makes the intent durable. Where nothing was on record, or the value in the Secret was on
// none, an edition is written down for what the Secret holds now.
func (d *decision) begin() Step {
	return Step{
		Name:     StepBegin,
		Section:  Before,
		Decides:  true,
		Shows:    true,
		Recorded: true,
		Goal:     "the decision is recorded",
		Check: func(_ context.Context, rec Record) (State, error) {
			if mine := d.intent.Mine(rec); mine != nil {
				if i, err := Decide(rec, d.want); err != nil || !i.same(d.intent) {
					return State{}, errors.Join(mine, err)
				}
				return State{Phase: ToDo, Note: fmt.Sprintf("%v to %v is not recorded yet", d.intent.From, d.intent.To)}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("%v to %v, decided by %s", d.intent.From, d.intent.To, d.intent.By)}, nil
		},
		Guard: d.checked,
		Apply: func(ctx context.Context, rec Record) error {
			return d.Store.Note(ctx, rec.Revision, d.note)
		},
		Plan:    d.plan(),
		Ask:     d.question(),
		Consent: d.consent(),
		Final:   d.intent.Compromised,
	}
}

func (d *decision) question() string {
	if d.gap != "" {
		return d.effect() + "; " + d.gap
	}
	return d.effect()
}

// effect is what the operator agrees to.
func (d *decision) effect() string {
	switch i := d.intent; {
	case i.Back && d.gap != "":
		return fmt.Sprintf("go back to %v and forget %v", i.To, i.From)
	case i.Back:
		return fmt.Sprintf("go back to %v and erase %v; nothing is refused before nobody uses it", i.To, i.From)
	case i.Compromised:
		return fmt.Sprintf("replace %v by %v at once; there is no way back%s", i.From, i.To, d.warning)
	default:
		return fmt.Sprintf("rotate %v to %v; until %v is retired, `kubectl rotate abort` undoes it", i.From, i.To, i.From)
	}
}

// consent is what begin wants to be agreed to. A gap is more than a yes covers; but on the way
// back, and for a value that has leaked, nothing else is held up either.
func (d *decision) consent() string {
	if d.gap == "" || d.intent.Back || d.intent.Compromised {
		return ConsentProceed
	}
	return ConsentGap
}

// plan says what the gap is among what would be done.
func (d *decision) plan() func(context.Context, Record) ([]string, error) {
	if d.gap == "" {
		return nil
	}
	return func(context.Context, Record) ([]string, error) { return []string{d.gap}, nil }
}

// checked is the preflight. It is looked at on the way there only: nothing holds up the way back.
func (d *decision) checked(ctx context.Context, rec Record) (State, error) {
	s := State{Phase: Done}
	if d.intent.Back {
		return s, nil
	}
	d.without = nil
	startOver := func(_ context.Context, rec Record) ([]Item, error) { return rec.startOver(d.intent.Compromised), nil }
	for _, look := range append([]func(context.Context, Record) ([]Item, error){startOver}, d.preflight...) {
		items, err := look(ctx, rec)
		if err != nil {
			return State{}, err
		}
		for _, i := range items {
			i.MaySkip = i.Consent != "" && i.Phase != Done
			if i.MaySkip {
				d.without = append(d.without, i.Name)
			}
			s.Items = append(s.Items, i)
		}
	}
	return s, nil
}

// note writes the intent of this list into rec.
func (d *decision) note(rec *Record) {
	latest := rec.Latest()
	if len(rec.Editions) == 0 {
		rec.Editions = []Edition{latest}
	}
	i := d.intent
	adopted := !i.Back && i.From != latest.View.Active
	if adopted {
		rec.Editions = append(rec.Editions, Edition{N: latest.N + 1, View: only(i.From), Written: d.now()})
	}
	rec.Intent = &i
	rec.High = max(rec.High, i.To, i.From)
	rec.Marks = map[string]time.Time{}
	rec.Skipped = d.skips.with(nil, d.without)
}
