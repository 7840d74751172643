package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Phase is what a look at a step found.
type Phase string

// The phases of a step. Only Done lets a run go on by itself.
const (
	Done    Phase = "done"
	ToDo    Phase = "to do"   // false, and Apply can make it true
	Waiting Phase = "waiting" // false, and will become true without us, or cannot yet
	Failed  Phase = "failed"  // false, and will not become true by waiting
	// Doubtful: it looks true, and nothing proved it. It asks for consent, of the kinds that its items
	// or itself name.
	Doubtful Phase = "unproven"
	// Stale: what was true was made false by somebody else. It asks for consent of the kind "stale"
	// before it is made true again.
	Stale Phase = "stale"
)

// State is what a look at a step found, with its evidence.
type State struct {
	Phase Phase
	Note  string    // the evidence in words: "0 sessions of backend_v1"
	Items []Item    // one per pod, node, session or workload, where that helps
	Until time.Time // a wait that ends by itself at this time
	// Consent is the kind of consent that a Doubtful state without doubtful items takes; "" is
	// ConsentUnproven.
	Consent string
}

// Item is one line of a step's evidence.
type Item struct {
	Name  string `json:"name"`
	Of    string `json:"of,omitempty"` // what it is a part of: the workload of a pod
	Phase Phase  `json:"state,omitempty"`
	Note  string `json:"note,omitempty"`
	// MaySkip is true of what an operator can decide to go on without: a gate, something looked at
	// before the beginning.
	MaySkip bool `json:"maySkip,omitempty"`
	// Consent is the kind of consent that it takes to begin without it, where that is one of its own;
	// of a Doubtful item, to go on in spite of it.
	Consent string `json:"-"`
}

// Skipped is the phase of an item that an operator has decided to go on without.
const Skipped Phase = "skipped"

// Section is a part of a checklist, for people.
type Section string

// The sections of a checklist, in their order.
const (
	Before Section = "Before" // nothing is changed for anybody yet
	During Section = "During" // consumers move to the new version
	After  Section = "After"  // the old version is taken away
)

// Step is one line of a rotation's checklist. Its functions are given the record as it is when they
// are called, and that record's intent is the one that the list was made for.
type Step struct {
	Name    string  // stable: part of the events, the documentation and --until
	Goal    string  // what is true once it is done, for people
	Section Section // the part of the list that it belongs to
	// Check looks; it changes nothing.
	Check func(context.Context, Record) (State, error)
	// Apply makes it true, or brings it nearer; it can be repeated. Nil is a pure wait.
	Apply func(context.Context, Record) error
	// Guard is health, looked at before Apply: anything but Done holds Apply up. What its items say
	// becomes part of what Ask asks. May be nil.
	Guard func(context.Context, Record) (State, error)
	// Plan says what Apply would do, in lines for people, with no value in them. May be nil.
	Plan func(context.Context, Record) ([]string, error)
	// Skip records that the operator goes on without the items of these names, which may be skipped.
	// Nil: nothing of this step may be.
	Skip func(ctx context.Context, rec Record, names []string) error
	// Reached says whether the record alone shows that the rotation has come to this step. Nil: the
	// record never shows it.
	Reached func(Record) bool
	// Decides is true of the step that records the intent: until it is done, the record may hold
	// another intent or none.
	Decides bool
	// Shows is true of a step whose items a plan shows: those of its Guard, or of its Check where it
	// has no Guard.
	Shows bool
	// Stragglers is true of a step whose items name who still uses the old version.
	Stragglers bool
	// Watched is true of a step about consumers only: it need not be looked at before one of them
	// changes.
	Watched bool
	// Recorded is true of a step whose Apply writes to the Store and nowhere else.
	Recorded bool
	// Long is true of a step whose Apply takes as long as it gets on, each of its calls within a time
	// of its own.
	Long bool
	// Resurvey has all steps before this one looked at again before Apply: it takes something away.
	Resurvey bool
	// Final is true of a step after which there is no way back.
	Final bool
	// Ask wants the operator's consent before Apply; the text says what will happen and whether it can
	// be undone.
	Ask string
	// Consent is the kind of consent that Ask wants; "" is ConsentProceed.
	Consent string
}

func (s Step) consent() string {
	if s.Consent == "" {
		return ConsentProceed
	}
	return s.Consent
}

// PhaseOf is the step that a rotation is at by the record alone, given its list: what was written
// down, and nothing that has to be checked. It is never ahead of the truth, and "" where nothing is
// under way.
func PhaseOf(list func(Intent) []Step, r Record) (phase string) {
	if r.Standby() {
		return ""
	}
	for _, s := range list(*r.Intent) {
		if s.Reached != nil && s.Reached(r) {
			phase = s.Name
		}
	}
	return phase
}

// Names are the names of the steps of some lists of one kind, each once, in their order.
func Names(lists ...[]Step) (names []string) {
	for _, list := range lists {
		at := 0 // where a name that is not known yet belongs: after the one before it
		for _, s := range list {
			if i := slices.Index(names, s.Name); i >= 0 {
				at = i + 1
				continue
			}
			names = slices.Insert(names, at, s.Name)
			at++
		}
	}
	return names
}

// detail is a state in one line: its note, and the items that keep it from being done.
func (s State) detail() string {
	text := s.Note
	for _, item := range s.Items {
		if item.Phase != Done && item.Note != "" {
			text += fmt.Sprintf("; %s: %s", item.Name, item.Note)
		}
	}
	return text
}

// worsen takes the later of two phases, in the order in which they keep a step from being done.
func (s *State) worsen(really bool, to Phase) {
	order := []Phase{Done, Doubtful, Waiting, Failed, ToDo}
	if really && slices.Index(order, to) > slices.Index(order, s.Phase) {
		s.Phase = to
	}
}
