package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Place is a location that a credential is published to beside the annotated Secret: another
// Secret, a ConfigMap.
type Place interface {
	// Read is the location as it is now, from a quorum. A location that does not exist is refused.
	Read(ctx context.Context) (State, error)
}

// State is a location as one Read found it. It is not affected by what becomes of the location.
type State interface {
	// String names the location, for people: "secret shop/reports-db".
	String() string
	// Revision is another one after each write to the location, whoever wrote.
	Revision() string
	// Holds says how the location compares with rec.
	Holds(rec rotation.Record) Holding
	// Change has the location hold view, with the values of rec, and carry the [Decision] of rec's
	// intent. It writes nothing where both are so. A location that has changed since the Read is
	// ErrConflict, and stays as it is: so the write of an operator who was overruled fails once the
	// new decision is carried.
	//
	// arrived is false where consumers do not read view yet, since something else copies it to what
	// they read. Holds of a later Read says what is waited for; Change is called again once nothing
	// is.
	Change(ctx context.Context, rec rotation.Record, view rotation.View) (arrived bool, err error)
	// Plan is what Change would write, line by line, with no value in it. Where after is not nil,
	// that view counts as written before.
	Plan(rec rotation.Record, after *rotation.View, view rotation.View) ([]string, error)
	// Inspect refuses a location that can't be written, that somebody else would write back, or
	// that does not hold current. The notes are what an operator should know before a rotation
	// begins.
	Inspect(current rotation.Credential) (notes []string, err error)
}

// Holding is how a location compares with a record. The zero value is: as the newest edition says,
// under the present decision.
type Holding struct {
	Edited bool   // it is not as any publication would have left it
	Editor string // who did that, as far as it is known
	// Behind: it does not hold what the newest edition says, or does not carry the present
	// decision.
	Behind bool
	// Left is the view that a publication cut off has left it at, where that is another than the
	// newest edition's: what read the location in between may hold it. Since is when the location
	// was last written.
	Left  *rotation.View
	Since time.Time
	// Arriving is what is waited for after a Change under the present decision; nil: nothing.
	Arriving *rotation.Arrival
}

// addTo adds to rec what is to be known of the location of that name.
func (h Holding) addTo(rec *rotation.Record, name string) {
	if h.Edited && rec.Editor == "" {
		rec.Editor = h.Editor
	}
	rec.Edited = rec.Edited || h.Edited
	if h.Behind {
		rec.Behind = append(rec.Behind, name)
	}
	if h.Arriving != nil {
		rec.Arriving = append(rec.Arriving, *h.Arriving)
	}
}

// Decision is what says that a location was written under intent i. Whoever decided before i was
// recorded, and writes after, finds it changed: else a stalled operator could publish a version
// that is gone by then.
func Decision(i *rotation.Intent) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%d of %s", i.Attempt, i.At.UTC().Format(time.RFC3339))
}
