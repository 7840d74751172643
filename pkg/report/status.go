package report

import (
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Status is how one target stands. It is what `status -o json` and `-o yaml` write, and part of the documented
// interface: fields may be added to it, none is renamed or removed.
type Status struct {
	// Name is the target's name in the configuration.
	Name string `json:"name"`
	// Kind is what accepts the credential: postgres.
	Kind string `json:"kind"`
	// Namespace is where the Secret is.
	Namespace string `json:"namespace"`
	// Secret is the name of the application's Secret.
	Secret string `json:"secret"`
	// Owner is who is asked when the rotation is overdue.
	Owner string `json:"owner,omitempty"`
	// Version is the number of the active version; 0 where none was ever rotated.
	Version rotation.Version `json:"version"`
	// ID is the login, ACL user or key id of the active version.
	ID string `json:"id,omitempty"`
	// Rotated is when the active version became active; absent where nobody knows.
	Rotated time.Time `json:"rotated,omitzero"`
	// Due is when the next rotation should have begun; absent where it is not known.
	Due time.Time `json:"due,omitzero"`
	// Overdue is true once Due is past.
	Overdue bool `json:"overdue,omitempty"`
	// Stuck is why the rotation under way does not go on by itself.
	Stuck string `json:"stuck,omitempty"`
	// Phase is standby, the first step of the checklist that is not done, or "not found here".
	Phase string `json:"phase"`
	// Recorded is true where Phase was read from the record alone, and neither the server nor the pods were looked at.
	Recorded bool `json:"recorded,omitempty"`
	// From and To are the versions of the rotation under way; both 0 in standby.
	From rotation.Version `json:"from,omitempty"`
	To   rotation.Version `json:"to,omitempty"`
	// Back is true while it is an abort, Compromised while the old value counts as leaked.
	Back        bool `json:"back,omitempty"`
	Compromised bool `json:"compromised,omitempty"`
	// By is who decided for it, Since when.
	By    string    `json:"by,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Run is the run that is at the target now; absent where there is none.
	Run *Run `json:"run,omitempty"`
	// RunKnown is true where it was looked whether there is one; without it an absent Run means nothing.
	RunKnown bool `json:"runKnown"`
	// Behind are the workloads, pods and sessions still on another version than the active one, as kind/name.
	Behind []string `json:"behind,omitempty"`
	// BehindKnown is true where it was looked who is behind; without it an empty Behind means nothing.
	BehindKnown bool `json:"behindKnown"`
	// Leftovers are others that can log in where the login does, each with the statement that ends it; only a survey looks.
	Leftovers []string `json:"leftovers,omitempty"`
	// Next is the command that goes on, where there is something to do; Undo the one that takes a rotation back, where it
	// can be.
	Next string `json:"next,omitempty"`
	Undo string `json:"undo,omitempty"`
	// Steps are the checklist as a survey saw it; absent without one.
	Steps []StepStatus `json:"steps,omitempty"`
	// Error is why the target could not be looked at.
	Error string `json:"error,omitempty"`
}

// Run is a run that is at a target, as its Lease says.
type Run struct {
	// By is the user, the host and the process: "anna on laptop, pid 4711".
	By string `json:"by"`
	// Doing is what it is at, as a phrase that the target's name follows: "rotating".
	Doing string `json:"doing,omitempty"`
	// Since is when it began, Heard when it was last heard of.
	Since time.Time `json:"since"`
	Heard time.Time `json:"heard"`
}

// PhaseStandby is the phase of a target with nothing under way.
const PhaseStandby = "standby"

// PhaseMissing is that of a target that no configuration names, and whose Secret is not there: nothing is wrong with that.
const PhaseMissing = "not found here"

// StepStatus is one step of the checklist, as a survey saw it.
type StepStatus struct {
	// Name is the step's name: "install".
	Name string `json:"name"`
	// Goal is what is true once it is done, for people.
	Goal string `json:"goal,omitempty"`
	// State is what the look found.
	State rotation.Phase `json:"state"`
	// Note is the evidence in words.
	Note string `json:"note,omitempty"`
	// Items are the evidence one by one: a pod, a node, a session each.
	Items []rotation.Item `json:"items,omitempty"`
	// Until is when a wait ends by itself.
	Until time.Time `json:"until,omitzero"`
	// Took is how long it has taken so far, Usually how long it takes, both by the history; 0 where that says nothing.
	Took    history.Seconds `json:"tookSeconds,omitempty"`
	Usually history.Seconds `json:"usuallySeconds,omitempty"`
}

// Steps joins a checklist with what a survey of it found: the two are of the same length.
func Steps(list []rotation.Step, states []rotation.State) []StepStatus {
	all := make([]StepStatus, min(len(list), len(states)))
	for i := range all {
		s := states[i]
		all[i] = StepStatus{Name: list[i].Name, Goal: list[i].Goal, State: s.Phase, Note: s.Note, Items: s.Items, Until: s.Until}
	}
	return all
}
