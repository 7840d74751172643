package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
)

// Somebody rotates signing keys at a terminal, and later answers to a leak there: what is asked, what is waited for, and what is left on the
// terminal at the end. Then status and history tell of both.
func TestSigningKeysOnTheScreen(t *testing.T) {
	long(t)
	w, config := signing(t, 10*time.Second)
	s := w.terminal(100, 40)
	s.run("jwt", config)
	s.shows("begin asks", "rotate v1 to v2")
	s.looksLike("jwt-begin")
	s.press("y")
	s.shows("[~] drain")
	s.looksLike("jwt-drain")
	s.shows("exit code 0", "from v1 to v2: done in")
	s.looksLike("jwt-finished")

	s.run("emergency-jwt", config, "--cut")
	s.shows("begin asks", "replace v2 by v3 at once")
	s.looksLike("emergency-begin")
	s.press("y")
	s.shows("exit code 0", "from v2 to v3: done in")
	s.looksLike("emergency-finished")

	w.rotate(0, "status", config).says(t, "jwt", "v3", "standby")
	w.rotate(0, "status", "jwt", config).says(t, "jwt-secret-v3", "jwt-secret-v2")
	w.rotate(0, "history", "jwt", config).says(t, "finished (compromised)")
	all := w.historyOf("jwt", config)
	if len(all) != 2 || all[0].Compromised == all[1].Compromised || all[0].Outcome != history.Finished || all[1].Outcome != history.Finished {
		t.Errorf("the history is %+v", all)
	}
	for _, one := range all {
		if one.Compromised && !strings.Contains(noteOf(one, "rollout"), "had ended within") {
			t.Errorf("the history does not say when nobody accepted the leaked key any more: %+v", one.Steps)
		}
	}
}

// noteOf is the proof of a step in a history.
func noteOf(s history.Story, step string) string {
	for _, one := range s.Steps {
		if one.Name == step {
			return one.Note
		}
	}
	return ""
}
