package rotationtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// atRevision is the ledger of a world for whoever keeps a revision: a write fails if the world was
// written to since.
type atRevision struct {
	world  *World
	writes int // so far
}

func (l *atRevision) revision() string { return fmt.Sprint(l.writes) }

func (l *atRevision) Load(context.Context) (rotation.Record, error) {
	rec := l.world.record()
	rec.Revision = l.revision()
	return rec, nil
}

func (l *atRevision) Note(ctx context.Context, revision string, change func(*rotation.Record)) error {
	l.world.appMoved = revision != l.revision()
	err := (&operator{world: l.world, awake: true}).Note(ctx, revision, change)
	if err == nil {
		l.writes++
	}
	return err
}

func TestLedgerOfTheWorld(t *testing.T) {
	Ledger(t, func(*testing.T) LedgerFixture {
		w := newWorld(Bounds{Told: true, Pods: 1})
		return LedgerFixture{Ledger: &atRevision{world: &w}, Coarse: true}
	})
}
