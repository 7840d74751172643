package progress

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	l := Lines{W: &out, Now: func() time.Time {
		now = now.Add(750 * time.Millisecond)
		return now
	}}
	broken := errors.New("broken")
	if err := l.Step("making one", func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := l.Step("making two", func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	l.Say("%d made", 1)
	want := "making one … 0.8 s\nmaking two … failed after 0.8 s\n1 made\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
