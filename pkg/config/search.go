package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// search gives the path of the nearest file, "" when there is none. It ends at the home folder, at the root of a repository, and where
// another file system begins.
func (l Loader) search() (string, error) {
	dir, err := filepath.Abs(l.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("searching %s: %w", FileName, err)
	}
	home := l.Home
	if home == "" {
		home, _ = os.UserHomeDir() // a user without a home has the root as the end
	}
	if resolved, err := filepath.EvalSymlinks(home); err == nil {
		home = resolved
	}
	for {
		path := filepath.Join(dir, FileName)
		switch info, err := os.Stat(path); {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("searching %s: %w", FileName, err)
		}
		up := filepath.Dir(dir)
		if dir == home || up == dir || isRepository(dir) || !sameDevice(dir, up) {
			return "", nil
		}
		dir = up
	}
}

// isRepository says whether dir is the root of a repository of git, or of one of its worktrees.
func isRepository(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// readFile reads a file and says whose it is: that of the file that was read, and not of one that takes its place.
func readFile(path string) (text []byte, s Source, err error) {
	s.File = path
	f, err := os.Open(path) //nolint:gosec // the operator has named it, or it is looked at before it is obeyed
	if err != nil {
		return nil, s, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, s, err
	}
	s.By, s.Written, s.Open = ownerOf(info), info.ModTime(), writtenByOthers(info)
	s.info = info
	text, err = io.ReadAll(f)
	return text, s, err
}

// trusted refuses a file that somebody else may have written: it would be obeyed with the operator's rights.
func (s Source) trusted() error {
	real, err := filepath.EvalSymlinks(s.File)
	if err != nil {
		return err
	}
	problem := problemWith(s.File, s.info)
	for _, dir := range []string{filepath.Dir(s.File), filepath.Dir(real)} {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		problem = cmp.Or(problem, problemWith(dir, info))
	}
	if problem == "" {
		return nil
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s was found, and is not used: %s", s.File, problem),
		"give the file and its folder to yourself with `chmod go-w` and `chown`, or name the file with --config"))
}

// problemWith is why a file or a folder may hold what somebody else has put there; "" for none.
func problemWith(path string, info fs.FileInfo) string {
	switch {
	case !isOurs(info):
		return fmt.Sprintf("%s belongs to %s", path, ownerOf(info))
	case writtenByOthers(info):
		return fmt.Sprintf("others may write to %s (mode %04o)", path, info.Mode().Perm())
	}
	return ""
}
