package wiring

import (
	"context"
	"maps"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

// redacted is text without any value that the target has or had. Where they cannot be read nothing of it is shown.
func redacted(ctx context.Context, store rotation.Store, text string) string {
	rec, err := store.Load(ctx)
	if err != nil {
		return ""
	}
	return without(text, append(slices.Collect(maps.Values(rec.Live)), rec.Current))
}

// without takes the values of cs out of text in the forms in which they usually stand there. Where one is left in
// some other form, nothing of the text is shown: a connection string is encoded in more ways than can be listed.
func without(text string, cs []rotation.Credential) string {
	for _, c := range cs {
		text = rotation.Redact(text, c.Value.Reveal())
	}
	for _, c := range cs {
		if secretdata.Holds(text, c.ID, string(c.Value.Reveal())) {
			return rotation.Redacted
		}
	}
	return text
}
