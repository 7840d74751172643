package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What the second Secret says in its metadata, for whoever looks at many targets and must not see a value.
const (
	// AnnotationVersions are the versions whose value it holds, each with its ID, as JSON.
	AnnotationVersions = "kubectl-rotate/versions"
	// AnnotationTarget is what the configuration said of the target, as JSON of [About].
	AnnotationTarget = "kubectl-rotate/target"
)

// Records is a field selector of all second Secrets, wherever they are.
const Records = "type=" + string(SecretType)

// About is what a target is to those who have no configuration with it.
type About struct {
	Name     string        `json:"name,omitempty"`
	Kind     string        `json:"kind,omitempty"`
	Owner    string        `json:"owner,omitempty"`
	Interval time.Duration `json:"interval,omitempty"` // how old the credential may become
	Soak     time.Duration `json:"soak,omitempty"`
}

// Application is the name of the application's Secret, given that of the second one.
func Application(record string) (name string, ok bool) { return strings.CutSuffix(record, suffix) }

// Record is the name of the second Secret, given that of the application's.
func Record(application string) string { return application + suffix }

// Glance is the record of a target as the metadata of its two Secrets tells it: without any value, and so without a look at
// whether the application's Secret was edited. second is nil where there is none. A record that stands nowhere is empty.
func Glance(app, second *metav1.PartialObjectMetadata) (rotation.Record, About, error) {
	var about About
	e, err := decodeEntries(app.ObjectMeta)
	if err != nil {
		return rotation.Record{}, about, fmt.Errorf("secret %s/%s: %w", app.Namespace, app.Name, err)
	}
	rec := rotation.Record{Intent: e.Intent, High: e.High, Gone: e.Gone, Editions: e.Editions, Marks: e.Marks, Skipped: e.Skipped, Names: e.Names,
		Values: fmt.Sprintf("secret %s/%s", app.Namespace, Record(app.Name))}
	if second == nil {
		if len(e.Editions) > 0 {
			rec.Saved = e.High
		}
		return rec, about, nil
	}
	var ids map[rotation.Version]string
	if err := errors.Join(annotation(second, AnnotationVersions, &ids), annotation(second, AnnotationTarget, &about)); err != nil {
		return rotation.Record{}, about, err
	}
	rec.Live = credentials(ids)
	if ids == nil {
		rec.Live = presumed(rec)
	}
	if len(rec.Editions) == 0 && len(rec.Live) > 0 { // the annotation was lost: the newest value is the best guess
		newest := slices.Max(slices.Collect(maps.Keys(rec.Live)))
		rec.Editions = []rotation.Edition{{N: 1, View: rotation.View{Active: newest, Accept: []rotation.Version{newest}}}}
	}
	rec.Current = rec.Live[rec.Active()]
	return rec, about, nil
}

// annotation reads one annotation; one that is not there changes nothing.
func annotation(o *metav1.PartialObjectMetadata, key string, into any) error {
	text, ok := o.Annotations[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("secret %s/%s: reading annotation %s: %w", o.Namespace, o.Name, key, err)
	}
	return nil
}

func credentials(ids map[rotation.Version]string) map[rotation.Version]rotation.Credential {
	live := map[rotation.Version]rotation.Credential{}
	for v, id := range ids {
		live[v] = rotation.Credential{V: v, ID: id}
	}
	return live
}

// presumed are the versions that have a value, where the second Secret does not say: those of the intent that are not
// known to be gone.
func presumed(rec rotation.Record) map[rotation.Version]rotation.Credential {
	live := map[rotation.Version]rotation.Credential{}
	if rec.Intent == nil {
		return live
	}
	for _, v := range []rotation.Version{rec.Intent.From, rec.Intent.To} {
		if _, gone := rec.Gone[v]; !gone {
			live[v] = rotation.Credential{V: v}
		}
	}
	return live
}

// told are the annotations of the second Secret once data is written over what it holds.
func (l *Ledger) told(p snapshot, data map[string][]byte) map[string]any {
	var before map[string][]byte
	if p.second != nil {
		before = p.second.Data
	}
	after, err := decodeValues(Merged(before, data))
	if err != nil {
		return nil // it was read without error, and what is written is ours
	}
	ids := map[rotation.Version]string{}
	for v, c := range after.live {
		ids[v] = c.ID
	}
	notes := map[string]any{AnnotationVersions: encoded(ids)}
	if l.About != (About{}) {
		notes[AnnotationTarget] = encoded(l.About)
	}
	return notes
}

// encoded is v as JSON; what is told here can always be encoded.
func encoded(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
