package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the screens in testdata anew")

// passing is what differs from run to run, and what stands for it in a golden screen.
var passing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`https://[0-9.:]+`), "https://SERVER"},
	{regexp.MustCompile(`(?s)configuration:\s+/.*? UTC`), "configuration: FILE"},
	{regexp.MustCompile(`backend-[a-z0-9]{8,10}-[a-z0-9]{5}`), "backend-POD"},
	{regexp.MustCompile(`[0-9]{2}:[0-9]{2}:[0-9]{2}`), "00:00:00"},
	{regexp.MustCompile(`  +~?[0-9.]+m?s( of ~[0-9.]+m?s)?\n`), "\n"},
	{regexp.MustCompile(`\b[0-9]+(\.[0-9]+)?m?s\b`), "0s"},
	{regexp.MustCompile(`(?m)^( +([a-z]+ 0s,?[ \n]*)+\n)+`), "  STEPS AND THEIR TIMES\n"},
	{regexp.MustCompile(` +\n`), "\n"},
}

// looksLike waits for the screen to be the one that is kept under a name, but for what differs from run to run. With
// -update it is kept.
func (s *terminal) looksLike(name string) {
	s.Helper()
	path := filepath.Join("testdata", "screens", name+".txt")
	if *update {
		s.must("keeping the screen", os.WriteFile(path, []byte(s.lasting()), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	s.must("reading the screen that is kept", err)
	end := time.Now().Add(10 * time.Second) // it may be in the middle of being drawn
	diff := "?"
	s.world.until(name+" is on the screen", func() bool {
		diff = cmp.Diff(string(want), s.lasting())
		return diff == "" || time.Now().After(end)
	})
	if diff != "" {
		s.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// lasting is what the screen shows without what differs from run to run.
func (s *terminal) lasting() string {
	s.Helper()
	text := strings.ReplaceAll(s.tmux("capture-pane", "-J", "-p", "-t", s.name), s.ns, "NAMESPACE")
	for _, p := range passing {
		text = p.what.ReplaceAllString(text, p.as)
	}
	return strings.TrimRight(text, "\n") + "\n"
}
