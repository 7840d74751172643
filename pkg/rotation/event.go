package rotation

import "time"

// Event is one thing that happened in a run, flat, for whoever shows or keeps it. It never holds a
// value.
type Event struct {
	Time        time.Time `json:"time"`
	Target      string    `json:"target"`
	From        Version   `json:"from"`
	To          Version   `json:"to"`
	Attempt     int       `json:"attempt"`
	Back        bool      `json:"back,omitempty"`
	Compromised bool      `json:"compromised,omitempty"`
	// Started is true from when the decision is on record. Before that nothing was changed, and there
	// is nothing to undo.
	Started bool `json:"started,omitempty"`

	Step  string    `json:"step,omitempty"`
	State Phase     `json:"state"`
	Note  string    `json:"note,omitempty"`
	Items []Item    `json:"items,omitempty"`
	Until time.Time `json:"until,omitzero"`
	Error string    `json:"error,omitempty"`
	Hint  string    `json:"hint,omitempty"`
}

// Phases that only events have, beside those of a State.
const (
	Applying   Phase = "applying"   // an effect has begun
	Paused     Phase = "paused"     // somebody has had the run wait before an effect
	Retrying   Phase = "retrying"   // something could not be reached; it is tried again
	Superseded Phase = "superseded" // somebody else has decided otherwise
)
