package binaries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFollowsTheModule(t *testing.T) {
	dir := t.TempDir()
	keys := map[string]string{}
	for _, sum := range []string{"one", "two", "one"} {
		for _, file := range []string{"go.mod", "go.sum"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(sum), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		key, err := Source(dir).key()
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := keys[sum]; ok && before != key {
			t.Errorf("the same module has the keys %s and %s", before, key)
		}
		keys[sum] = key
	}
	if keys["one"] == keys["two"] {
		t.Error("two modules have the same key")
	}
}

func TestModulePinsTheVersion(t *testing.T) {
	data, err := os.ReadFile("../../kubernetes/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "k8s.io/kubernetes "+Version+" ") {
		t.Errorf("the module does not pin %s, which the programs say they are", Version)
	}
	for _, p := range programs {
		if !strings.Contains(string(data), "k8s.io/kubernetes/cmd/"+p+"\n") {
			t.Errorf("the module has no tool %s: its dependencies would be tidied away", p)
		}
	}
}
