package debian

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	here := filepath.Join(dir, "here")
	if err := os.WriteFile(here, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	got := Missing([]Package{{"by-name", "here"}, {"by-path", here}, {"absent", "absent"}, {"absent-plugin", "/no/such/plugin"}})
	if diff := cmp.Diff([]string{"absent", "absent-plugin"}, got); diff != "" {
		t.Errorf("missing packages (-want +got):\n%s", diff)
	}
}

func TestInstallableNeedsApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Installable(); err == nil {
		t.Error("packages can be installed with no apt-get in PATH")
	}
}
