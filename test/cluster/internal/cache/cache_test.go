package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestGetMakesOnce(t *testing.T) {
	f := &Folder{Dir: t.TempDir()}
	var made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			path, err := f.Get(context.Background(), "entry", func(temp string) error {
				made.Add(1)
				return os.WriteFile(temp, []byte("content"), 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != "content" {
				t.Errorf("got %q, %v", data, err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("the entry was made %d times", n)
	}
}

func TestGetKeepsNothingOfAFailure(t *testing.T) {
	f := &Folder{Dir: t.TempDir()}
	broken := errors.New("broken")
	_, err := f.Get(context.Background(), "entry", func(temp string) error {
		if err := os.WriteFile(temp, []byte("half"), 0o644); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	path, err := f.Get(context.Background(), "entry", func(temp string) error {
		if _, err := os.Stat(temp); !os.IsNotExist(err) {
			t.Errorf("the half of before is in the way: %v", err)
		}
		return os.WriteFile(temp, []byte("whole"), 0o644)
	})
	if data, _ := os.ReadFile(path); err != nil || string(data) != "whole" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestLockCanBeGivenUp(t *testing.T) {
	busy := make(chan string, 1)
	f := &Folder{Dir: t.TempDir(), Busy: func(name string) { busy <- name }}
	unlock, err := f.Lock(context.Background(), "one")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := f.Lock(ctx, "one")
		result <- err
	}()
	if name := <-busy; name != "one" {
		t.Errorf("busy with %q", name)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := f.Lock(ctx, "one"); err != nil {
		t.Errorf("the lock was not given back: %v", err)
	}
}

func TestKeyTellsPartsApart(t *testing.T) {
	if Key([]byte("ab"), []byte("c")) == Key([]byte("a"), []byte("bc")) {
		t.Error("two divisions of the same text have the same key")
	}
}

func TestFileSumNamesTheFile(t *testing.T) {
	if _, err := FileSum(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
