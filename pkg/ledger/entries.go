package ledger

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

// KeptEditions is how many editions are kept. What a pod may hold that is older than the oldest one kept can't be
// told, which makes a rotation roll it; a rotation writes one to five of them.
const KeptEditions = 20

// KeptTombstones is how many tombstones are kept, the highest versions: an annotation has room for so much.
const KeptTombstones = 100

// entries is what the annotation holds.
type entries struct {
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

// decodeEntries reads the annotation of app; none is empty entries.
func decodeEntries(app metav1.ObjectMeta) (entries, error) {
	text, ok := app.Annotations[AnnotationRecord]
	if !ok {
		return entries{}, nil
	}
	e, err := parseEntries(text)
	if err != nil {
		return entries{}, rotation.WithHint(
			fmt.Errorf("reading annotation %s: %w", AnnotationRecord, err),
			"if it was edited by hand, put it back; if it can't be, remove it: the values and their numbers are kept elsewhere")
	}
	if at := writtenAt(app.ManagedFields); e.Fresh && !at.IsZero() {
		e.Editions[len(e.Editions)-1].Written = at
	}
	return e, nil
}

func parseEntries(text string) (entries, error) {
	var e entries
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return entries{}, err
	}
	if e.Format != format {
		return entries{}, fmt.Errorf("its format is %d, and this program knows %d", e.Format, format)
	}
	return e, e.check()
}

// check refuses what no rotation writes, and what would mislead one.
func (e entries) check() error {
	for i, edition := range e.Editions {
		switch {
		case edition.N < 1 || i > 0 && edition.N != e.Editions[i-1].N+1:
			return fmt.Errorf("edition %d is out of order", edition.N)
		case edition.View.Active < 1:
			return fmt.Errorf("edition %d has no active version", edition.N)
		}
	}
	for v := range e.Gone {
		if v < 1 {
			return fmt.Errorf("it has a tombstone of %v", v)
		}
	}
	switch {
	case e.Fresh && len(e.Editions) == 0:
		return errors.New("its newest edition is missing")
	case e.High < 0:
		return errors.New("its highest version is negative")
	case e.Intent != nil && (e.Intent.To < 1 || e.Intent.Attempt < 1):
		return errors.New("its intent has no target or no number")
	case e.Intent != nil && len(e.Editions) == 0:
		return errors.New("it has an intent and no edition")
	}
	return nil
}

// encode is the annotation. Editions and tombstones older than those kept are left out.
func (e entries) encode() (string, error) {
	e.Format = format
	if extra := len(e.Gone) - KeptTombstones; extra > 0 {
		e.Gone = maps.Clone(e.Gone)
		for _, v := range slices.Sorted(maps.Keys(e.Gone)) {
			if len(e.Gone) <= KeptTombstones {
				break
			}
			if e.Intent == nil || e.Gone[v].Attempt != e.Intent.Attempt { // else the version would count as lost
				delete(e.Gone, v)
			}
		}
	}
	if extra := len(e.Editions) - KeptEditions; extra > 0 {
		e.Editions = e.Editions[extra:]
	}
	text, err := json.Marshal(e)
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
func (e entries) latestN() int {
	if len(e.Editions) == 0 {
		return 0
	}
	return e.Editions[len(e.Editions)-1].N
}

// given says whether version v was given out to a value that is gone. Below the lowest tombstone kept, every
// version that has no value is.
func (e entries) given(v rotation.Version) bool {
	_, gone := e.Gone[v]
	return gone || len(e.Gone) >= KeptTombstones && v < slices.Min(slices.Collect(maps.Keys(e.Gone)))
}
