package checklist

import (
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The messages that are not Bubble Tea's own.
type (
	eventMsg rotation.Event
	logMsg   string
	tickMsg  time.Time
	heldMsg  bool // whether the run waits, paused
	usualMsg map[string]time.Duration
	planMsg  struct {
		intent rotation.Intent
		steps  []rotation.Planned
	}
	askMsg struct {
		rotation.Question
		answer chan<- bool
	}
	offerMsg struct {
		rotation.Question
		answer chan<- rotation.Answer // "" leaves it where it is
	}
)

// control is what the operator can do to a run; a Screen is one.
type control interface {
	end(why error)
	pause(on bool)
	skip(names []string)
}

// pane is what stands in the middle of the screen.
type pane int

const (
	paneSteps pane = iota
	paneLog
	paneHelp
	paneHandover
)

// keptLog is how many lines of the log are kept.
const keptLog = 500

// model is what the screen shows: folded events, and where the operator looks.
type model struct {
	options Options
	control control
	now     time.Time
	width   int
	height  int

	intent rotation.Intent
	plan   []rotation.Planned
	usual  map[string]time.Duration // how long each step usually takes, as far as it is known
	leg    *rotation.Leg
	last   map[string]rotation.Event // the last event of each step
	began  time.Time

	cursor int
	moved  bool            // the operator has moved the cursor: it no longer follows the run
	open   map[string]bool // steps shown in full
	pane   pane
	log    []string

	before   []rotation.Item // what was looked at before the beginning
	offer    *offerMsg
	skipping []string // asks whether to skip these

	ask     *askMsg
	typed   string // towards Options.Protected
	taking  bool   // asks whether to take it back
	paused  bool   // the operator wants a pause
	held    bool   // and the run waits
	leaving string // why the screen is about to close
	handing bool   // the operator has asked for the handover
}

func newModel(o Options, c control) model {
	return model{
		options: o, control: c, now: o.Now(), began: o.Now(), width: 80, height: 24,
		last: map[string]rotation.Event{}, open: map[string]bool{},
	}
}

func tick() tea.Cmd { return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// Init begins to count the time.
func (m model) Init() tea.Cmd { return tick() }

// Update takes one message in.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.now = m.options.Now()
	switch msg := msg.(type) {
	case tickMsg:
		return m, tick()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case eventMsg:
		m = m.fold(rotation.Event(msg))
	case planMsg:
		m = m.planned(msg)
		for _, p := range msg.steps {
			if p.Step == rotation.StepBegin && p.Items != nil {
				m.before = p.Items
			}
		}
	case askMsg:
		m.ask, m.typed = &msg, ""
		m = m.lookAt(msg.Step)
	case offerMsg:
		m.offer = &msg
		m = m.lookAt(msg.Step)
	case heldMsg:
		m.held = bool(msg)
	case usualMsg:
		m.usual = msg
	case logMsg:
		m = m.logged(string(msg))
	case tea.KeyMsg:
		return m.key(msg)
	}
	return m, nil
}

// planned takes in a list. What its steps would do may be known from before.
func (m model) planned(msg planMsg) model {
	for i := range msg.steps {
		p := &msg.steps[i]
		for _, known := range m.plan {
			if known.Step == p.Step && len(p.Lines) == 0 && m.intent.To == msg.intent.To {
				p.Lines = known.Lines
			}
		}
	}
	m.intent, m.plan = msg.intent, msg.steps
	return m
}

// fold takes an event into the rows.
func (m model) fold(e rotation.Event) model {
	if !m.leg.Belongs(e) {
		m.last = map[string]rotation.Event{}
	}
	m.leg = m.leg.Follow(e)
	m.last[e.Step] = e
	m.ask, m.offer = nil, nil
	if e.Step == rotation.StepBegin && e.Items != nil {
		m.before = e.Items
	}
	if e.Started {
		m.before = agreed(m.before)
	}
	return m.lookAt(e.Step)
}

// lookAt moves the cursor to a step, unless the operator has moved it away.
func (m model) lookAt(step string) model {
	if !m.moved {
		for i, r := range m.rows() {
			if r.step == step {
				m.cursor = i
			}
		}
	}
	return m
}

func (m model) logged(text string) model {
	for line := range strings.Lines(text) {
		m.log = append(m.log, report.Clean(line))
	}
	m.log = m.log[max(0, len(m.log)-keptLog):]
	return m
}
