package kubehistory

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	patience = 5 * time.Second // how long one write may take
	interval = time.Second     // from one write to the next, at least: many steps take less
)

// Keeper writes down what one process does, while it does it: a run that is killed has told what it had done. Its fields
// are set by [Keep]; its methods may be called from any goroutine, and none waits for the cluster but Close.
type Keeper struct {
	store *Store
	now   func() time.Time
	say   func(error)

	mu     sync.Mutex
	log    history.Log
	said   bool
	news   chan struct{} // something is to be written
	closed chan struct{}
	over   chan struct{}
}

// Keep begins to keep what by does, with what pods have said or without. now is the clock of the events; say is told, once, what keeps it
// from being written.
func Keep(store *Store, by string, podOutput bool, now func() time.Time, say func(error)) *Keeper {
	k := &Keeper{
		store: store, now: now, say: say, log: history.Log{ID: rand.Text()[:12], By: by, PodOutput: podOutput},
		news: make(chan struct{}, 1), closed: make(chan struct{}), over: make(chan struct{}),
	}
	go k.write()
	return k
}

// Emit takes an event in. It can be a [rotation.Runner]'s Emit, together with a renderer's.
func (k *Keeper) Emit(e rotation.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.log.Emit(e) {
		k.tell()
	}
}

// Agreed takes down that the operator has agreed to something.
func (k *Keeper) Agreed(q rotation.Question) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log.Agreed(k.now(), q)
}

// tell has the writer write what there is by then.
func (k *Keeper) tell() {
	select {
	case k.news <- struct{}{}:
	default: // it is about to write anyway
	}
}

func (k *Keeper) write() {
	defer close(k.over)
	for {
		select {
		case <-k.news:
			k.put(context.Background())
		case <-k.closed:
			return
		}
		select {
		case <-time.After(interval):
		case <-k.closed:
			return
		}
	}
}

// put writes what the log has to tell now. What fails is told again with the next news.
func (k *Keeper) put(ctx context.Context) {
	k.mu.Lock()
	entries := k.log.Entries()
	k.mu.Unlock()
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := k.store.Put(ctx, entries...)
	if err != nil && !k.said {
		k.said = true
		k.say(err)
	}
}

// Close takes down how the process ended and writes it, whether ctx has ended or not. It waits no longer than one or two
// writes may take.
func (k *Keeper) Close(ctx context.Context, outcome rotation.Outcome, err error) {
	close(k.closed)
	<-k.over
	k.mu.Lock()
	k.log.End(outcome, err)
	k.mu.Unlock()
	k.put(context.WithoutCancel(ctx))
}
