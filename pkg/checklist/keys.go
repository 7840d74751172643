package checklist

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// key takes one key in. While something is asked, keys are answers.
func (m model) key(k tea.KeyMsg) (tea.Model, tea.Cmd) {
	switch {
	case k.Type == tea.KeyCtrlC:
		m.leaving = "interrupted"
		m.control.end(ErrInterrupted)
		return m, nil
	case m.taking:
		return m.confirm(k), nil
	case len(m.skipping) > 0:
		return m.confirmSkip(k), nil
	case m.offer != nil:
		return m.offered(k), nil
	case m.ask != nil && m.options.Protected != "" && m.ask.Kind == rotation.ConsentProceed:
		return m.typing(k), nil
	case m.ask != nil && (k.String() == "y" || k.String() == "n"):
		return m.answered(k.String() == "y"), nil
	case m.ask != nil && k.String() == "s" && skippable(m.ask.Kind):
		return m.answered(true), nil
	}
	return m.command(k.String()), nil
}

// command is a key while nothing is asked.
func (m model) command(key string) model {
	rows := m.rows()
	switch key {
	case "up", "k":
		m.cursor, m.moved = max(0, m.cursor-1), true
	case "down", "j":
		m.cursor, m.moved = max(0, min(len(rows)-1, m.cursor+1)), true
	case "esc":
		m.pane, m.moved = paneSteps, false
		if m.leg != nil {
			m = m.lookAt(m.leg.Last.Step)
		}
	case "enter", " ":
		if m.cursor < len(rows) {
			step := rows[m.cursor].step
			m.open[step] = !m.open[step]
		}
	case "l":
		m.pane = toggled(m.pane, paneLog)
	case "L":
		m.pane, m.handing = toggled(m.pane, paneHandover), true
	case "?":
		m.pane = toggled(m.pane, paneHelp)
	case "p":
		m.paused = !m.paused
		m.control.pause(m.paused)
	case "a":
		m.taking = m.canTakeBack()
	case "s":
		m.skipping = m.canSkip()
	case "q":
		m.leaving = "leaving it where it is"
		m.control.end(ErrLeft)
	}
	return m
}

func toggled(now, to pane) pane {
	if now == to {
		return paneSteps
	}
	return to
}

// canTakeBack says whether there is something to take back, and a way.
func (m model) canTakeBack() bool {
	if m.leg == nil || m.leg.Last.Back || m.intent.Back || m.intent.Compromised {
		return false
	}
	return m.leg.Last.Started
}

// confirm is the answer to whether to take it back.
func (m model) confirm(k tea.KeyMsg) model {
	switch k.String() {
	case "y":
		m.taking, m.moved, m.paused = false, false, false
		m.control.end(errTakeBack)
	case "n", "esc", "q":
		m.taking = false
	}
	return m
}

// typing is a key of the name that has to be typed.
func (m model) typing(k tea.KeyMsg) model {
	switch k.Type {
	case tea.KeyEsc:
		return m.answered(false)
	case tea.KeyBackspace:
		if r := []rune(m.typed); len(r) > 0 {
			m.typed = string(r[:len(r)-1])
		}
	case tea.KeyEnter:
		if m.typed == m.options.Protected {
			return m.answered(true)
		}
		m.typed = ""
	case tea.KeyRunes, tea.KeySpace:
		m.typed += string(k.Runes)
	}
	return m
}

func (m model) answered(yes bool) model {
	m.ask.answer <- yes
	m.ask = nil
	return m
}
