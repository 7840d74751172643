package wiring

import (
	"context"
	"sync"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// acceptReassign agrees that what a login has come to own is given to its owner before it is dropped.
const acceptReassign = "reassign"

// Consents are what --accept can agree to, one kind for each doubt. Whoever asks a new question adds a line.
var Consents = []string{
	rotation.ConsentUnproven,
	rotation.ConsentUsers,
	rotation.ConsentUnrefused,
	rotation.ConsentUnseen,
	rotation.ConsentNodes,
	rotation.ConsentUnknownGate,
	rotation.ConsentStale,
	rotation.ConsentLost,
	rotation.ConsentGap,
	rotation.ConsentBackup,
	rotation.ConsentWindow,
	acceptReassign,
	redisacl.ConsentVolatile,
	rotation.ConsentUnknownNode,
	rotation.ConsentOwnership,
	workload.ConsentCanary,
}

// Agreements are the kinds of questions that the operator has agreed to in this run. They are kept nowhere: whoever may write the record
// could agree for him. Nil is of a run that keeps none.
type Agreements struct {
	mu    sync.Mutex
	kinds map[string]bool
}

func agreedTo(kinds []string) *Agreements {
	a := &Agreements{kinds: map[string]bool{}}
	for _, kind := range kinds {
		a.add(kind)
	}
	return a
}

func (a *Agreements) add(kind string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kinds[kind] = true
}

// Keeping is consent, with what is agreed to kept.
func (a *Agreements) Keeping(consent func(context.Context, rotation.Question) error) func(context.Context, rotation.Question) error {
	return func(ctx context.Context, asked rotation.Question) error {
		err := consent(ctx, asked)
		if err == nil {
			a.add(asked.Kind)
		}
		return err
	}
}

func (a *Agreements) has(kind string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kinds[kind]
}
