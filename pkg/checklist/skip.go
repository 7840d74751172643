package checklist

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// skippable says whether agreeing to a question of this kind is to begin without something that was looked for.
func skippable(kind string) bool {
	return kind == rotation.ConsentBackup || kind == rotation.ConsentWindow
}

// agreed are the items of a rotation that has begun: what was missing was gone on without.
func agreed(items []rotation.Item) []rotation.Item {
	items = slices.Clone(items)
	for i := range items {
		if items[i].MaySkip && items[i].Phase != rotation.Done {
			items[i].Phase = rotation.Skipped
		}
	}
	return items
}

// canSkip are the gates that hold the step at work up. Nothing else can be skipped once a rotation has begun.
func (m model) canSkip() (names []string) {
	if m.leg == nil || !m.leg.Last.Started {
		return nil
	}
	for _, i := range m.last[m.leg.Last.Step].Items {
		if i.MaySkip && i.Phase != rotation.Done && i.Phase != rotation.Skipped {
			names = append(names, i.Name)
		}
	}
	return names
}

// confirmSkip is the answer to whether to skip.
func (m model) confirmSkip(k tea.KeyMsg) model {
	switch k.String() {
	case "y":
		m.control.skip(m.skipping)
		m.skipping = nil
	case "n", "esc", "q":
		m.skipping = nil
	}
	return m
}

// offered is the answer to what is to be done about gates that have failed.
func (m model) offered(k tea.KeyMsg) tea.Model {
	answers := map[string]rotation.Answer{"w": rotation.AnswerWait, "s": rotation.AnswerSkip, "a": rotation.AnswerBack, "q": ""}
	if a, ok := answers[k.String()]; ok {
		m.offer.answer <- a
		m.offer = nil
		return m
	}
	return m.command(k.String())
}

// offering is what is asked about gates that have failed.
func (m model) offering() []string {
	return m.boxed(m.offer.Step+" has failed", m.offer.Text, "w wait a minute", "s skip it, recorded", "a take it back", "q leave it where it is", "enter open")
}

// skipQuestion asks whether to skip.
func (m model) skipQuestion() []string {
	return m.boxed("skip", fmt.Sprintf("Go on without %s? That is recorded, with who and when.", strings.Join(m.skipping, ", ")), "y skip", "n wait for it")
}
