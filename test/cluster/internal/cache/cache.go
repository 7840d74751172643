// Package cache keeps what is slow to make, under a name that follows from its content, so that it is made once on a
// machine however many checkouts want it.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Folder is where one kind of thing is kept.
type Folder struct {
	Dir  string
	Busy func(name string) // called once before a wait for another process; nil means to wait in silence
}

// DefaultDir is in the user's own cache folder.
func DefaultDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	return filepath.Join(dir, "kubectl-rotate"), nil
}

// Get returns the path of the entry called name. When there is none, make is called to fill a path that it may make
// a file or a folder of; a make that fails, or is killed, leaves no entry. Others who want the same entry wait.
func (f *Folder) Get(ctx context.Context, name string, make func(temp string) error) (string, error) {
	path := filepath.Join(f.Dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	unlock, err := f.Lock(ctx, name)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	temp := path + ".partial"
	if err := os.RemoveAll(temp); err != nil {
		return "", fmt.Errorf("clearing the cache: %w", err)
	}
	if err := make(temp); err != nil {
		return "", err
	}
	if err := os.Rename(temp, path); err != nil {
		return "", fmt.Errorf("keeping %s in the cache: %w", name, err)
	}
	return path, nil
}

// Lock waits until no one else holds the lock of that name. It ends with the process, however that ends.
func (f *Folder) Lock(ctx context.Context, name string) (unlock func(), err error) {
	dir := filepath.Join(f.Dir, "locks")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	if err := f.acquire(ctx, file, name); err != nil {
		file.Close()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return func() { file.Close() }, nil
}

// acquire asks again and again rather than once for good, since that could not be interrupted.
func (f *Folder) acquire(ctx context.Context, file *os.File, name string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if !told && f.Busy != nil {
			f.Busy(name)
		}
		told = true
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Key condenses the parts that an entry is made from; each counts with its length, so that none runs into the next.
func Key(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// FileSum returns the SHA-256 of a file's content.
func FileSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return h.Sum(nil), nil
}
