//go:build unix

package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// valkeys are Debian's packages of the Valkey that tests start beside Debian's Redis, and where they are: for Debian 12 among
// the backports. They are unpacked, not installed.
var (
	valkeys   = []string{"valkey-server", "valkey-tools"}
	backports = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main\n"
)

// Valkey is the program of a Valkey server, for one test, which it skips where there is none.
func Valkey(t testing.TB) string {
	t.Helper()
	program, err := valkey()
	if err != nil {
		t.Skipf("%v: see `go run ./pkg/redisacl/redistest/fetch`", err)
	}
	return program
}

func valkey() (string, error) {
	if path, err := exec.LookPath("valkey-server"); err == nil {
		return path, nil
	}
	dir, err := valkeyFolder()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "usr", "bin", "valkey-server")
	if _, err := os.Stat(program); err != nil {
		return "", errors.New("valkey is not there")
	}
	return program, nil
}

func valkeyFolder() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "kubectl-rotate", "valkey"), err
}

// FetchValkey puts a Valkey into the user's cache folder, and says what it fetches. One that is there already is left as it is.
func FetchValkey(ctx context.Context, say func(string)) error {
	if _, err := valkey(); err == nil {
		return nil
	}
	dir, err := valkeyFolder()
	if err != nil {
		return err
	}
	say("fetching Debian's Valkey into " + dir + ", once")
	work, err := os.MkdirTemp("", "valkey")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	sources := filepath.Join(work, "sources.list")
	err = errors.Join(os.WriteFile(sources, []byte(backports), 0o600), os.MkdirAll(filepath.Join(work, "lists", "partial"), 0o755), os.MkdirAll(dir, 0o755))
	if err != nil {
		return err
	}
	apt := func(args ...string) error {
		own := []string{"-qq", "-o", "Dir::Etc::sourcelist=" + sources, "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::State::lists=" + filepath.Join(work, "lists"),
			"-o", "Dir::Cache=" + work, "-o", "APT::Sandbox::User=root"}
		return command(ctx, work, "apt-get", append(own, args...)...)
	}
	if err := errors.Join(apt("update"), apt(append([]string{"download"}, valkeys...)...)); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(work, "*.deb"))
	for _, p := range packages {
		err = errors.Join(err, command(ctx, work, "dpkg-deb", "-x", p, dir))
	}
	return err
}

func command(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return nil
}
