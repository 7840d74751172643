package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse holds for any file: what is refused is refused by an [*InvalidError] with a problem in it; what is accepted
// is printed as a file that says the same; and one unknown field is never passed over.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/invalid/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	const one = "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- "
	f.Add(one + "&a {name: a, kind: postgres}\n- <<: *a\n  name: b\n")
	f.Add(one + "{name: a, kind: postgres, interval: 1d12h, secret: !!binary aGk=}\n")
	f.Add(one + "&a {name: a, kind: postgres, also: [*a]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("fuzz", []byte(text))
		var invalid *InvalidError
		switch {
		case err != nil && (!errors.As(err, &invalid) || len(invalid.Problems) == 0):
			t.Fatalf("refused without a problem: %v", err)
		case err != nil:
			return
		}
		printed, err := c.View()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("view", printed)
		if err != nil {
			t.Fatalf("%q was accepted, and printed as a file that is not: %v\n%s", text, err, printed)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("%q is printed as a file that says something else (-read +printed):\n%s", text, diff)
		}
		if more := text + "\nunknown: x\n"; accepted(more) {
			t.Fatalf("an unknown field was passed over in %q", more)
		}
	})
}

func accepted(text string) bool {
	_, err := Parse("fuzz", []byte(text))
	return err == nil
}
