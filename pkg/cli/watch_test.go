package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
)

func TestPageIsWrittenOverAndFits(t *testing.T) {
	var out bytes.Buffer
	p := &page{out: report.NewPrinter(&out), size: func() (int, int) { return 10, 5 }}
	p.turn("one\ntwo\n")
	p.turn("a line that is too long\n2\n3\n4\n5\n")
	want := "one\ntwo\n" + "\x1b[2A\r\x1b[J" + "a line th…\n2\nand 3 lin…\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestChangesAreOneLineEach(t *testing.T) {
	var out bytes.Buffer
	p := &page{out: report.NewPrinter(&out)}
	a := report.Status{Name: "a", Phase: "rollout", From: 1, To: 2, Recorded: true}
	b := report.Status{Name: "b", Phase: report.PhaseStandby}
	p.changes([]report.Status{a, b}, nil)
	p.changes([]report.Status{a, b}, errors.New("no route"))
	p.changes([]report.Status{a, b}, errors.New("no route"))
	a.Phase = "soak"
	p.changes([]report.Status{a, b}, nil)
	var said []string
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(line, " ") // the time
		said = append(said, text)
	}
	want := "a: rollout (recorded), v1 to v2\nb: standby\nthe last look failed: no route\na: soak (recorded), v1 to v2\n"
	if got := strings.Join(said, ""); got != want {
		t.Errorf("got %s", got)
	}
}

func TestAWatchWaitsForNothingThatIsMissing(t *testing.T) {
	if pending(report.Status{Phase: report.PhaseMissing}) {
		t.Error("a watch waits for it")
	}
}
