package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// picturesVariable names the folder that pictures are put into.
const picturesVariable = "KUBECTL_ROTATE_PICTURES"

// What the documentation shows is a rotation that took place: `make docs` makes pictures of what is captured here.
func TestPictures(t *testing.T) {
	alone(t)
	if os.Getenv(picturesVariable) == "" {
		t.Skipf("%s names no folder: see `make docs`", picturesVariable)
	}
	w := newCluster(t)
	w.ns = "shop"
	w.deploy()
	w.loaded()
	s := w.terminal(96, 28)
	s.run("postgres", "--soak=10s")
	s.shows("begin asks")
	s.picture("begin")
	s.press("y")
	s.shows("2 of 5 pods on v2")
	s.picture("rollout")
	s.shows("exit code 0")
	s.picture("done")
	w.rotate(3, "postgres", "--yes", "--again", "--until=install")
	w.deadline(60)
	w.rejectFromPods("backend_v3")
	s.run("postgres", "--yes", "--soak=10s")
	s.shows("rollout", "runs since", "login refused")
	s.picture("failing")
	s.shows("exit code 1", "it was taken back, and nothing is left of it")
}

// picture keeps the screen as it is, colours and all.
func (s *terminal) picture(name string) {
	s.Helper()
	screen := s.tmux("capture-pane", "-e", "-p", "-t", s.name)
	screen = strings.ReplaceAll(screen, "\x1b[39m", "\x1b[0m") // not every renderer knows of a default colour
	path := filepath.Join(os.Getenv(picturesVariable), name+".ansi")
	s.must("keeping a picture", os.WriteFile(path, []byte(screen), 0o600))
}
