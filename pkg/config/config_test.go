package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// parseFile parses a file of testdata, under its base name.
func parseFile(t *testing.T, path string) (Config, error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(filepath.Base(path), text)
}

func view(t *testing.T, c Config) string {
	t.Helper()
	text, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestViews(t *testing.T) {
	full, err := parseFile(t, "testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.view.yaml", view(t, full))
	golden(t, "testdata/default.view.yaml", view(t, Default()))
}

// What View prints is a file again, and says the same.
func TestViewReadsBack(t *testing.T) {
	full, err := parseFile(t, "testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Config{Default(), full} {
		again, err := Parse("view", []byte(view(t, c)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Error(diff)
		}
	}
}

// A target in a file states what differs, and gets the rest from its kind.
func TestDefaultsOfAKind(t *testing.T) {
	got, err := Parse("file", []byte("apiVersion: kubectl-rotate/v1alpha1\ntargets: [{name: postgres, kind: postgres}, {name: redis, kind: redis}, {name: jwt, kind: jwt}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Error(diff)
	}
}

// Each file has beside it what a user reads about it.
func TestInvalidFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, err := parseFile(t, path)
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(Config{}, c); diff != "" {
				t.Errorf("a configuration came with the error: %s", diff)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

func TestTarget(t *testing.T) {
	full, err := parseFile(t, "testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := full.Target("orders-reader"); err != nil || got.Secret.Login != "reader" || got.Soak.Duration != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = full.Target("orders")
	if err == nil || err.Error() != `there is no target "orders"` || rotation.Hint(err) != "targets in the configuration: cache, legacy-tokens, orders-db, orders-reader, orders-tokens" {
		t.Errorf("got %v, hint %q", err, rotation.Hint(err))
	}
}

func TestSecrets(t *testing.T) {
	full, err := parseFile(t, "testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range full.Targets[0].Secrets() {
		got = append(got, s.Namespace+"/"+s.Name)
	}
	if diff := cmp.Diff([]string{"orders/orders-db", "reports/orders-db", "orders/orders-url"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "90d": 90 * Day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "0": 0, "0d": 0, "1d": Day, "90s": 90 * time.Second,
	} {
		d, err := ParseDuration(text)
		if err != nil || d.Duration != want {
			t.Errorf("%s reads as %v, %v", text, d.Duration, err)
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%s is written as %s, which reads as %v, %v", text, d, again, err)
		}
	}
	for _, text := range []string{"", "d", "10", "-1h", "-1d", "90 days", "1h1d", "1d1d", "1.5d", "99999999d", "1d-1h", "a"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q reads as %v", text, d)
		}
	}
}

func TestDurationsAreWrittenShort(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"90d": 90 * Day, "1d12h": 36 * time.Hour, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1h": time.Hour, "0s": 0, "1h0m5s": time.Hour + 5*time.Second, "10h": 10 * time.Hour, "30s": 30 * time.Second,
	} {
		if got := (Duration{d}).String(); got != want {
			t.Errorf("%v is written as %s, not %s", d, got, want)
		}
	}
}
