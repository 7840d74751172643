package serverconn

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Turns lets calls run one at a time. The zero value is ready for use.
type Turns struct {
	once  sync.Once
	token chan struct{} // holds one token: whoever has it has the turn
}

// Do waits for its turn and runs do. Both together may take that long.
func (t *Turns) Do(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-t.start():
		defer t.leave()
	case <-ctx.Done():
		return Unavailable(fmt.Errorf("waiting for another call to end: %w", ctx.Err()))
	}
	return do(ctx)
}

// Between runs do when no call has the turn, however long that takes.
func (t *Turns) Between(do func()) {
	<-t.start()
	defer t.leave()
	do()
}

func (t *Turns) leave() { t.token <- struct{}{} }

func (t *Turns) start() <-chan struct{} {
	t.once.Do(func() {
		t.token = make(chan struct{}, 1)
		t.leave()
	})
	return t.token
}
