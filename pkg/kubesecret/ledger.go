package kubesecret

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// format is the newest form of the annotation that this program reads and writes.
const format = 1

// keptEditions is how many editions are kept. What a pod may hold that is older than the oldest one kept can't be
// told, which makes a rotation roll it; a rotation writes one to five of them.
const keptEditions = 20

// keptTombstones is how many tombstones are kept, the highest versions: an annotation has room for so much.
const keptTombstones = 100

// ledger is what stands in the application's Secret beside its data.
type ledger struct {
	Format   int                                     `json:"format"`
	Intent   *rotation.Intent                        `json:"intent,omitempty"`
	High     rotation.Version                        `json:"high,omitempty"`
	Gone     map[rotation.Version]rotation.Tombstone `json:"gone,omitempty"`
	Editions []rotation.Edition                      `json:"editions,omitempty"`
	Marks    map[string]time.Time                    `json:"marks,omitempty"`
	Skipped  map[string]rotation.Skip                `json:"skipped,omitempty"`
	// Names are the IDs of the versions that have a value, and of those of the intent: what is left to name them by
	// if the second Secret is lost.
	Names map[rotation.Version]string `json:"names,omitempty"`
	// Fresh says that the newest edition came with the last write of all by [FieldManager], so that the API server's
	// own time of that write is the edition's.
	Fresh bool  `json:"fresh,omitempty"`
	Seal  *seal `json:"seal,omitempty"`
}

// decodeLedger reads the annotation of the application's Secret; none is an empty ledger.
func decodeLedger(app metav1.ObjectMeta) (ledger, error) {
	text, ok := app.Annotations[AnnotationRecord]
	if !ok {
		return ledger{}, nil
	}
	l, err := parseLedger(text)
	if err != nil {
		return ledger{}, rotation.WithHint(
			fmt.Errorf("reading annotation %s: %w", AnnotationRecord, err),
			"if it was edited by hand, put it back; if it can't be, remove it: the values and their numbers are kept elsewhere")
	}
	if at := writtenAt(app.ManagedFields); l.Fresh && !at.IsZero() {
		l.Editions[len(l.Editions)-1].Written = at
	}
	return l, nil
}

func parseLedger(text string) (ledger, error) {
	var l ledger
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return ledger{}, err
	}
	if l.Format != format {
		return ledger{}, fmt.Errorf("its format is %d, and this program knows %d", l.Format, format)
	}
	return l, l.check()
}

// check refuses what no rotation writes, and what would mislead one.
func (l ledger) check() error {
	for i, e := range l.Editions {
		switch {
		case e.N < 1 || i > 0 && e.N != l.Editions[i-1].N+1:
			return fmt.Errorf("edition %d is out of order", e.N)
		case e.View.Active < 1:
			return fmt.Errorf("edition %d has no active version", e.N)
		}
	}
	for v := range l.Gone {
		if v < 1 {
			return fmt.Errorf("it has a tombstone of %v", v)
		}
	}
	switch {
	case l.Fresh && len(l.Editions) == 0:
		return errors.New("its newest edition is missing")
	case l.High < 0:
		return errors.New("its highest version is negative")
	case l.Intent != nil && (l.Intent.To < 1 || l.Intent.Attempt < 1):
		return errors.New("its intent has no target or no number")
	case l.Intent != nil && len(l.Editions) == 0:
		return errors.New("it has an intent and no edition")
	}
	return nil
}

// encode is the annotation. Editions and tombstones older than those kept are left out.
func (l ledger) encode() (string, error) {
	l.Format = format
	if extra := len(l.Gone) - keptTombstones; extra > 0 {
		l.Gone = maps.Clone(l.Gone)
		for _, v := range slices.Sorted(maps.Keys(l.Gone)) {
			if len(l.Gone) <= keptTombstones {
				break
			}
			if l.Intent == nil || l.Gone[v].Attempt != l.Intent.Attempt { // else the version would count as lost
				delete(l.Gone, v)
			}
		}
	}
	if extra := len(l.Editions) - keptEditions; extra > 0 {
		l.Editions = l.Editions[extra:]
	}
	text, err := json.Marshal(l)
	return string(text), err
}

// writtenAt is when FieldManager last changed the Secret, by the API server's clock. The clock of whoever runs a
// rotation can't be asked: a machine that sleeps between deciding and sending would date an edition too
// early, and pods made in between would be taken to hold what they can't.
func writtenAt(fields []metav1.ManagedFieldsEntry) (at time.Time) {
	for _, f := range fields {
		if f.Manager == FieldManager && f.Operation == metav1.ManagedFieldsOperationUpdate && f.Subresource == "" &&
			f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at
}

// latestN is the number of the newest edition, 0 without any.
func (l ledger) latestN() int {
	if len(l.Editions) == 0 {
		return 0
	}
	return l.Editions[len(l.Editions)-1].N
}

// given says whether version v was given out to a value that is gone. Below the lowest tombstone kept, every
// version that has no value is.
func (l ledger) given(v rotation.Version) bool {
	_, gone := l.Gone[v]
	return gone || len(l.Gone) >= keptTombstones && v < slices.Min(slices.Collect(maps.Keys(l.Gone)))
}
