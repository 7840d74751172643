package wiring

import (
	"context"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// opening is what an engine is given to open a target.
type opening struct {
	clients   *kube.Clients
	target    config.Target
	source    config.Source // of the target
	server    config.Server // of the target
	namespace string        // of the target
	via       kube.Via
	wait      bool                             // sessions of the old version may not be ended, by a flag
	agreed    func(kind string) bool           // the operator has agreed to questions of a kind
	terminate bool                             // sessions of the old version may be ended
	reassign  bool                             // what a login has come to own may be given to its owner
	leaked    bool                             // the value in use has
	only      bool                             // nothing is changed: a dry run, or status. No credential goes to anything but the server
	say       func(format string, args ...any) // a line for the operator
}

// Opened is a target that can be rotated.
type Opened struct {
	rotation.Rotation
	Clients   *kube.Clients
	Config    config.Target
	Namespace string
	Source    config.Source // of the target
	File      string        // the targets file; "" where none was named
	Operator  string
	Leftovers func(context.Context, rotation.Record) ([]string, error)                            // who else can come in; nil: no such thing
	refused   func(context.Context, time.Time, []rotation.Credential) ([]rotation.Refusal, error) // whom the server has refused; nil: not known
	inUse     gate.InUse                                                                          // who uses a login, whichever password it has; nil: not known
	unlooked  []string                                                                            // what is not looked at, since a permission is missing that is only helpful
	Lacking   []kube.Permission                                                                   // what a run takes and this look does not: it only reads
	Tellers   []Teller                                                                            // who is told of what becomes of a run
	Protected string                                                                              // the context's name, where it has to be typed before anything begins; "" where it has not
	urgent    []look                                                                              // what is looked at before where a value has leaked; nil: what always is
	sessions  *sessions                                                                           // what was opened with the value, and is ended where that has leaked; nil: nothing
	Agreed    *Agreements                                                                         // what the operator has agreed to in this run
	Began     func()                                                                              // called when a run has the target to itself; may be nil
	noting    sync.Mutex
	said      map[string]bool
	Say       func(format string, args ...any)
	closers   []func()
}

// Note tells the operator something that is worth knowing, once.
func (o *Opened) Note(text string) {
	o.noting.Lock()
	defer o.noting.Unlock()
	if o.said[text] {
		return
	}
	if o.said == nil {
		o.said = map[string]bool{}
	}
	o.said[text] = true
	o.Say("note: %s", text)
}

// onClose has f called when the target is closed, the last one first.
func (o *Opened) onClose(f func()) { o.closers = append(o.closers, f) }

// Close ends what the target holds open.
func (o *Opened) Close() {
	for i := len(o.closers) - 1; i >= 0; i-- {
		o.closers[i]()
	}
}

// look is one thing that is looked at before a rotation begins.
type look = func(context.Context, rotation.Record) ([]rotation.Item, error)
