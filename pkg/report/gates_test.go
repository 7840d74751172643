package report

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A value that moves while a gate is waited for is one line, and what it came to another.
func TestLinesOfGates(t *testing.T) {
	gate := func(phase rotation.Phase, note string) rotation.Item {
		return rotation.Item{Name: "error-rate", Phase: phase, Note: note, MaySkip: true}
	}
	s := story{}.
		then(0, "begin", rotation.ToDo, "v1 to v2 is not recorded yet",
			rotation.Item{Name: "permissions", Phase: rotation.Done, Note: "all there"},
			rotation.Item{Name: "backup", Phase: rotation.ToDo, Note: "none was seen", MaySkip: true},
			rotation.Item{Name: "deployment/reports", Note: "one replica"}).
		then(10*ms, "begin", rotation.Applying, "v1 to v2 is not recorded yet").
		then(90*ms, "begin", rotation.Done, "v1 to v2, decided by anna@example.com").
		then(time.Second, "verify", rotation.Waiting, "0 of 1 gates passed", gate(rotation.Waiting, "0.2, at most 1; to stay so for 1m0s")).
		then(2*time.Second, "verify", rotation.Waiting, "0 of 1 gates passed", gate(rotation.Waiting, "0.3, at most 1; to stay so for 1m0s")).
		then(62*time.Second, "verify", rotation.Done, "1 of 1 gates passed", gate(rotation.Done, "0.1, at most 1"))
	got := told(s, Style{Width: 80})
	golden(t, "gates.80.txt", got)
	if strings.Contains(got, "0.3") {
		t.Errorf("a line for each value:\n%s", got)
	}
}
