package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// activeKeyName is what names the key to sign with, among the variables of the environment or the files of a directory.
const activeKeyName = "active-key"

// readKeys reads the signing keys from a directory that is a volume of a Secret. All of its files change at once: ..data
// points to another directory then.
func readKeys(dir string) (keys map[string][]byte, active string, err error) {
	now, err := filepath.EvalSymlinks(filepath.Join(dir, "..data"))
	if err != nil {
		return nil, "", fmt.Errorf("signing keys: %w", err)
	}
	files, err := os.ReadDir(now)
	if err != nil {
		return nil, "", fmt.Errorf("signing keys: %w", err)
	}
	keys = map[string][]byte{}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(now, f.Name()))
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("signing keys: %w", err)
		case f.Name() == activeKeyName:
			active = string(text)
		case strings.HasPrefix(f.Name(), "jwt-secret"):
			keys[f.Name()] = text
		}
	}
	return keys, active, nil
}

// reload reads the signing keys again, until ctx ends. What can't be read, or is no set of keys, changes nothing.
func (b *backend) reload(ctx context.Context, s settings) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.reloadEvery):
		}
		keys, active, err := readKeys(s.signingKeysDir)
		if err != nil {
			slog.Warn("reading the signing keys again", "err", err)
			continue
		}
		s.signingKeys, s.activeKey = keys, active
		tokens, err := newKeyring(s)
		if err != nil {
			slog.Warn("reading the signing keys again", "err", err)
			continue
		}
		b.tokens.Store(tokens)
	}
}
