package checklist

import (
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// status is what the screen knows, for somebody else to go on with. What it has not seen it does not say to be proven.
func (m model) status() report.Status {
	h, i := m.options.Header, m.intent
	s := report.Status{
		Name: h.Target, Namespace: h.Namespace, Secret: m.options.Secret, Phase: report.PhaseStandby,
		From: i.From, To: i.To, Back: i.Back, Compromised: i.Compromised, By: i.By, Since: i.At,
		Run: &report.Run{By: h.User, Since: m.began}, RunKnown: true,
	}
	for _, r := range m.rows() {
		step := report.StepStatus{Name: r.step, Usually: history.Of(r.usual)}
		if r.seen {
			step.State, step.Note, step.Items, step.Until = r.event.State, r.event.Note, r.event.Items, r.event.Until
			step.Took = history.Of(r.took)
		}
		if s.Phase == report.PhaseStandby && step.State != rotation.Done {
			s.Phase = r.step
		}
		s.Steps = append(s.Steps, step)
	}
	if m.options.Commands != nil && s.Phase != report.PhaseStandby {
		s.Next, s.Undo = m.options.Commands(i.Back)
		if m.leg == nil || !m.leg.Last.Started {
			s.Undo = ""
		}
	}
	return s
}

func (m model) handoverLines() (lines []string) {
	for line := range strings.Lines(report.Handover(m.status(), m.now)) {
		lines = append(lines, report.Wrap(strings.TrimRight(line, "\n"), m.width)...)
	}
	return lines
}
