package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func fullEntries() entries {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return entries{
		Format: format,
		Intent: &rotation.Intent{To: 3, From: 2, Attempt: 2, By: "alice", At: at},
		High:   3,
		Gone:   map[rotation.Version]rotation.Tombstone{1: {ID: "backend", At: at, Attempt: 1}},
		Editions: []rotation.Edition{
			{N: 1, View: rotation.View{Active: 1, Accept: []rotation.Version{1}}},
			{N: 2, View: rotation.View{Active: 2, Accept: []rotation.Version{1, 2}}, Written: at},
		},
		Marks: map[string]time.Time{rotation.MarkIdle: at},
		Fresh: true,
		Seal:  &seal{Keys: []string{"password"}, MAC: "00ff"},
	}
}

func TestEntriesComeBack(t *testing.T) {
	want := fullEntries()
	text, err := want.encode()
	must(t, err)
	got, err := parseEntries(text)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEntriesRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no JSON", `not JSON`, "invalid character"},
		{"no format", `{}`, "its format is 0"},
		{"a newer format", `{"format":2}`, "its format is 2, and this program knows 1"},
		{"a gap in the editions", `{"format":1,"editions":[{"n":1,"view":{"active":1}},{"n":3,"view":{"active":1}}]}`, "edition 3 is out of order"},
		{"edition 0", `{"format":1,"editions":[{"n":0,"view":{"active":1}}]}`, "edition 0 is out of order"},
		{"nothing active", `{"format":1,"editions":[{"n":1,"view":{"active":0}}]}`, "edition 1 has no active version"},
		{"fresh without editions", `{"format":1,"fresh":true}`, "newest edition is missing"},
		{"an intent without a target", `{"format":1,"intent":{"attempt":1}}`, "no target"},
		{"a tombstone without a number", `{"format":1,"gone":{"0":{"id":"a"}}}`, "tombstone of v0"},
	} {
		if _, err := parseEntries(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzEntries reads what may stand in the annotation: whatever is accepted comes back as it was once written.
func FuzzEntries(f *testing.F) {
	text, err := fullEntries().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(`{"format":1}`)
	f.Add(`{"format":1,"editions":[{"n":9223372036854775807,"view":{"active":1}},{"n":-9223372036854775808,"view":{"active":1}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		first, err := parseEntries(text)
		if err != nil {
			return
		}
		written, err := first.encode()
		if err != nil {
			return // a time that JSON can't write, such as one of year 10000
		}
		second, err := parseEntries(written)
		if err != nil {
			t.Fatalf("what was accepted and written again is refused: %v", err)
		}
		again, err := second.encode()
		if err != nil || again != written {
			t.Fatalf("written %q, then %q (%v)", written, again, err)
		}
	})
}

// FuzzValues reads what may stand in the second Secret. No error shows what was read.
func FuzzValues(f *testing.F) {
	f.Add("v1.id", []byte("backend"))
	f.Add("v1.meta", []byte(`{"owner":"backend"}`))
	f.Add("high", []byte("7"))
	f.Fuzz(func(t *testing.T, key string, content []byte) {
		v, err := decodeValues(map[string][]byte{key: content, "v2.value": []byte("x")})
		if err != nil {
			if len(content) > 12 && strings.Contains(err.Error(), string(content)) {
				t.Fatalf("the error shows what was read: %v", err)
			}
			return
		}
		if _, ok := v.live[2]; !ok || v.high < 2 {
			t.Fatalf("v2 was lost: %+v", v)
		}
	})
}

func TestSeal(t *testing.T) {
	key, keys := []byte("0123456789abcdef0123456789abcdef"), []string{"b", "a", "a"}
	data := map[string][]byte{"a": []byte("1"), "c": []byte("3")}
	sealed := newSeal(key, 2, keys, data)
	for _, c := range []struct {
		name string
		key  []byte
		n    int
		data map[string][]byte
		want bool
	}{
		{"as it was", key, 2, data, true},
		{"a key that is not covered", key, 2, map[string][]byte{"a": []byte("1"), "c": []byte("4")}, true},
		{"a changed value", key, 2, map[string][]byte{"a": []byte("2")}, false},
		{"a key that was lacking", key, 2, map[string][]byte{"a": []byte("1"), "b": {}}, false},
		{"a key that is gone", key, 2, map[string][]byte{}, false},
		{"the value under another key", key, 2, map[string][]byte{"b": []byte("1")}, false},
		{"another edition", key, 3, data, false},
		{"another sealing key", []byte("another"), 2, data, false},
		{"no sealing key", nil, 2, data, false},
	} {
		if got := sealed.fits(c.key, c.n, c.data); got != c.want {
			t.Errorf("%s: fits is %v, want %v", c.name, got, c.want)
		}
	}
	if newSeal(nil, 2, keys, data) != nil {
		t.Error("sealed without a key")
	}
	if (&seal{MAC: "zz"}).fits(key, 2, data) || (*seal)(nil).fits(key, 2, data) {
		t.Error("a broken seal fits")
	}
}

// TestTombstonesOfTheIntentAreKept aborts more often than there is room for tombstones, and then rotates: the version that was
// in use all the time has the lowest one.
func TestTombstonesOfTheIntentAreKept(t *testing.T) {
	l := entries{Intent: &rotation.Intent{From: 1, To: 200, Attempt: 300}, Gone: map[rotation.Version]rotation.Tombstone{1: {ID: "backend", Attempt: 300}}}
	for v := rotation.Version(2); v < 200; v++ {
		l.Gone[v] = rotation.Tombstone{Attempt: int(v)}
	}
	l.Editions = []rotation.Edition{{N: 1, View: rotation.View{Active: 200}}}
	text, err := l.encode()
	must(t, err)
	got, err := parseEntries(text)
	must(t, err)
	if _, kept := got.Gone[1]; !kept || len(got.Gone) != KeptTombstones {
		t.Errorf("the tombstone of v1 was kept: %v, of %d", kept, len(got.Gone))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
