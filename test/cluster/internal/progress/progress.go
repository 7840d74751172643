// Package progress tells what is being waited for, and how long it took.
package progress

import (
	"fmt"
	"io"
	"time"
)

// Lines writes one line for each step. The zero value of Now means the machine's clock.
type Lines struct {
	W   io.Writer
	Now func() time.Time
}

// Step names what is about to happen, does it, and adds the time it took. Steps don't nest.
func (l Lines) Step(what string, do func() error) error {
	began := l.now()
	fmt.Fprintf(l.W, "%s … ", what)
	err := do()
	took := l.now().Sub(began).Seconds()
	if err != nil {
		fmt.Fprintf(l.W, "failed after %.1f s\n", took)
		return err
	}
	fmt.Fprintf(l.W, "%.1f s\n", took)
	return nil
}

// Say writes one line.
func (l Lines) Say(format string, args ...any) { fmt.Fprintf(l.W, format+"\n", args...) }

func (l Lines) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}
