package rotation

import (
	"context"
	"fmt"
	"time"
)

// Parts are the two seams of a rotation and its consumers.
type Parts struct {
	System    System
	Store     Store
	Consumers Consumers
}

// core is what every part of a list needs: the seams, the intent that the list is for, and a clock.
type core struct {
	Parts
	intent Intent
	now    func() time.Time
}

// fence reads the intent again, for a Server to call right before an effect.
func (c core) fence(ctx context.Context) error {
	rec, err := c.Store.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the intent again: %w", err)
	}
	return c.intent.Mine(rec)
}

// mark is a time on record; zero where there is none, or where it is in the future: nothing would
// ever come after it.
func (c core) mark(rec Record, name string) time.Time {
	at := rec.Marks[name]
	if !at.IsZero() && at.Sub(c.now()) > ahead {
		return time.Time{}
	}
	return at
}

// noteMark records that something is so since now.
func (c core) noteMark(ctx context.Context, rec Record, name string) error {
	return c.Store.Note(ctx, rec.Revision, func(r *Record) { r.Marks = marked(r.Marks, name, c.now()) })
}

// marked is marks with one more.
func marked(marks map[string]time.Time, name string, at time.Time) map[string]time.Time {
	next := map[string]time.Time{name: at}
	for k, v := range marks {
		if k != name {
			next[k] = v
		}
	}
	return next
}
