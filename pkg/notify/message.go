package notify

import (
	"fmt"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What has become of a rotation.
type What string

// What is told.
const (
	Begun    What = "begun"
	Finished What = "finished"
	Aborted  What = "aborted" // taken back, to its end
	Failed   What = "failed"
)

// Message is what is told, as the form json has it. It is part of the documented interface: fields may be added to it, none
// is renamed or removed. It holds no value.
type Message struct {
	What        What             `json:"what"`
	Time        time.Time        `json:"time"`
	Target      string           `json:"target"`
	Namespace   string           `json:"namespace"`
	Secret      string           `json:"secret"`
	Context     string           `json:"context"`
	By          string           `json:"by"`
	From        rotation.Version `json:"from"`
	To          rotation.Version `json:"to"`
	Attempt     int              `json:"attempt"`
	Back        bool             `json:"back,omitempty"`
	Compromised bool             `json:"compromised,omitempty"`
	Began       time.Time        `json:"began,omitzero"` // when this run took it up
	Note        string           `json:"note,omitempty"` // why it failed, or was taken back; of an answer to a leak, how it went
	Next        string           `json:"next,omitempty"` // the command to go on with
	Dashboard   string           `json:"dashboard,omitempty"`
}

// Text is the message in a line.
func (m Message) Text() string {
	doing := fmt.Sprintf("rotation of %s in %s (context %s) from %v to %v", m.Target, m.Namespace, m.Context, m.From, m.To)
	if m.Back {
		doing = fmt.Sprintf("taking %s in %s (context %s) back from %v to %v", m.Target, m.Namespace, m.Context, m.From, m.To)
	}
	if m.Compromised {
		doing = fmt.Sprintf("answer to a leak of %s in %s (context %s), replacing %v by %v", m.Target, m.Namespace, m.Context, m.From, m.To)
	}
	text := fmt.Sprintf("%s: %s, by %s", doing, m.What, m.By)
	if m.Note != "" {
		text += ": " + m.Note
	}
	if m.Next != "" {
		text += fmt.Sprintf("; to go on: `%s`", m.Next)
	}
	return text
}
