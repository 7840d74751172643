package history

import (
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Outcome is how a decision ended.
type Outcome string

// The outcomes of a decision.
const (
	Finished   Outcome = "finished"
	Aborted    Outcome = "aborted"    // taken back, by the decision after it
	Failed     Outcome = "failed"     // a step failed, and nothing was done about it yet
	Superseded Outcome = "superseded" // another decision took its place before its end
	UnderWay   Outcome = "under way"
)

// Story is one decision as it is told. It is what `history -o json` and `-o yaml` write, and part of the documented
// interface: fields may be added to it, none is renamed or removed.
type Story struct {
	// Target is the target's name when it was rotated.
	Target string `json:"target"`
	// Namespace is where its Secret is.
	Namespace string `json:"namespace,omitempty"`
	// Attempt counts the decisions of a target.
	Attempt int `json:"attempt"`
	// From and To are the versions.
	From rotation.Version `json:"from"`
	To   rotation.Version `json:"to"`
	// Back is true of the way back from a rotation, Compromised where the old value counted as leaked.
	Back        bool `json:"back,omitempty"`
	Compromised bool `json:"compromised,omitempty"`
	// By are all who worked at it, as the API server knows them, in their order.
	By []string `json:"by"`
	// Began is when the first run began, Ended when the last one was last heard of; absent while it is under way.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
	// Outcome is how it ended.
	Outcome Outcome `json:"outcome"`
	// Runs is how many processes worked at it.
	Runs int `json:"runs"`
	// Error is what went wrong last.
	Error string `json:"error,omitempty"`
	// Steps are the steps that took something, in their order.
	Steps []Step `json:"steps,omitempty"`
	// Notes are what was agreed to, and by whom.
	Notes []Note `json:"notes,omitempty"`
}

// Took is how long the steps took together. What lay between two runs is no part of it.
func (s Story) Took() time.Duration {
	var all Seconds
	for _, step := range s.Steps {
		all += step.Took
	}
	return all.Duration()
}

// Spent is how long a step took so far.
func (s Story) Spent(step string) Seconds {
	for _, known := range s.Steps {
		if known.Name == step {
			return known.Took
		}
	}
	return 0
}

// Now is what the target's record says of its last decision; the zero value is that it was not looked at.
type Now struct {
	Attempt int
	Standby bool
}

// Tell is the history of one target, the oldest first. How a decision ended is seen from the ones after it: a process
// that was killed right after its last step had no time to say.
func Tell(entries []Entry, now Now) []Story {
	entries = slices.Clone(entries)
	order(entries)
	stories := make([]Story, len(entries))
	for i, e := range entries {
		all := e.whole()
		stories[i] = Story{
			Target: e.Target, Attempt: e.Attempt, From: e.From, To: e.To, Back: e.Back, Compromised: e.Compromised,
			By: all.By, Began: all.Began, Ended: all.Last, Runs: len(e.Runs), Error: all.Error, Steps: all.Steps, Notes: all.Notes,
		}
		var next *Entry
		if i+1 < len(entries) {
			next = &entries[i+1]
		}
		s := &stories[i]
		s.Outcome = outcome(e, all, next, now)
		switch s.Outcome {
		case UnderWay, Failed:
			s.Ended = time.Time{}
		case Finished:
			s.Error = ""
		}
	}
	return stories
}

func outcome(e Entry, all Run, next *Entry, now Now) Outcome {
	switch {
	case all.finished():
		return Finished
	case next != nil && next.Back && !e.Back && next.To == e.From:
		return Aborted
	case next != nil && next.Compromised:
		return Superseded
	case next != nil, now.Attempt == e.Attempt && now.Standby:
		return Finished // nothing else begins before the end of what was there
	case all.End == EndFailed:
		return Failed
	}
	return UnderWay
}

// finished says whether the last step was seen done.
func (r Run) finished() bool {
	return r.End == EndFinished ||
		slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Name == rotation.StepRetire && s.Done })
}
