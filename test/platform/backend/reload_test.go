package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// volume writes files as a kubelet does: into a directory of their own, to which ..data is then turned.
func volume(t *testing.T, dir, revision string, files map[string]string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, revision), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, revision, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(revision, filepath.Join(dir, "..tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

func TestSigningKeysOfAVolumeAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	volume(t, dir, "..1", map[string]string{"jwt-secret-v1": string(oldKey), "active-key": "jwt-secret-v1"})
	var environ []string
	for _, pair := range complete {
		if !strings.HasPrefix(pair, "jwt-secret") && !strings.HasPrefix(pair, "active-key") {
			environ = append(environ, pair)
		}
	}
	s, err := readSettings(append(environ, "SIGNING_KEYS_DIR="+dir))
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{}
	s.reloadEvery = time.Millisecond
	b.tokens.Store(ring(t, s.activeKey, s.signingKeys))
	go b.reload(t.Context(), s)
	later := issued(t, ring(t, "jwt-secret-v2", map[string][]byte{"jwt-secret-v2": newKey}), time.Now())
	accepted := func() bool {
		_, err := b.tokens.Load().verify(later)
		return err == nil
	}
	if accepted() {
		t.Fatal("a token of a key that is not there yet is accepted")
	}
	volume(t, dir, "..2", map[string]string{"jwt-secret-v1": string(oldKey), "jwt-secret-v2": string(newKey), "active-key": "jwt-secret-v1"})
	for end := time.Now().Add(10 * time.Second); !accepted(); {
		if time.Now().After(end) {
			t.Fatal("it is not read again")
		}
	}
}
