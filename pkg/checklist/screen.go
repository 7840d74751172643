package checklist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var (
	// ErrLeft says that the operator has closed the screen: the rotation stays where it is.
	ErrLeft = errors.New("left by the operator")
	// ErrInterrupted says that the operator has pressed Ctrl-C.
	ErrInterrupted = errors.New("interrupted")

	errTakeBack = errors.New("the operator takes it back")
)

// Options are what a screen is made with.
type Options struct {
	In        io.Reader // a terminal
	Out       io.Writer // the same terminal
	Style     report.Style
	Header    Header
	Back      bool                                // the run is the way back from its beginning
	Covers    func(kind string) bool              // whether flags agree to questions of a kind; nil: to none
	Secret    string                              // the application's, for the handover
	Commands  func(back bool) (next, undo string) // what goes on with a run, and takes it back; nil: they are not said
	Protected string                              // a name that has to be typed before anything begins; "" is none
	Now       func() time.Time                    // the clock of the events; nil is the local one
}

// Header says where a run takes place, and where its configuration comes from.
type Header struct{ Target, Context, Server, Namespace, User, Configuration string }

// Run makes one run, or the way back from it, with the screen's Emit, Consent and Hold.
type Run func(ctx context.Context, back bool) (rotation.Result, error)

// Screen shows one run. Emit, Consent, Hold and Log may be called from any goroutine while Show runs.
type Screen struct {
	options Options
	program *tea.Program

	handover *model // as of the end, where it was asked for

	mu      sync.Mutex
	stop    context.CancelCauseFunc // ends the leg that runs now
	skipped []string                // what the operator has said to skip
	resumed chan struct{}           // closed when a pause ends; nil while there is none
}

// New makes a screen; nothing is shown before Show.
func New(o Options) *Screen {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Screen{options: o}
	s.program = tea.NewProgram(newModel(o, s), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	return s
}

// Emit shows an event.
func (s *Screen) Emit(e rotation.Event) { s.program.Send(eventMsg(e)) }

// Plan shows what each step is and would do.
func (s *Screen) Plan(i rotation.Intent, steps []rotation.Planned) { s.program.Send(planMsg{i, steps}) }

// Usually shows how long each step usually takes.
func (s *Screen) Usually(times map[string]time.Duration) { s.program.Send(usualMsg(times)) }

// WriteHandover prints, once Show has returned, how things stood at the end, for somebody else to go on with; nothing where the
// operator did not ask for it.
func (s *Screen) WriteHandover(p *report.Printer) error {
	if s.handover == nil {
		return nil
	}
	return errors.Join(p.Linef(""), report.WriteHandover(p, s.handover.status(), s.handover.now))
}

// Consent asks the operator, unless flags agree already.
func (s *Screen) Consent(ctx context.Context, q rotation.Question) error {
	if s.options.Covers != nil && s.options.Covers(q.Kind) {
		return nil
	}
	answer := make(chan bool, 1)
	s.program.Send(askMsg{q, answer})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case yes := <-answer:
		if yes {
			return nil
		}
		return ErrLeft
	}
}

// Offer asks the operator what to do about gates that have failed.
func (s *Screen) Offer(ctx context.Context, q rotation.Question) (rotation.Answer, error) {
	answer := make(chan rotation.Answer, 1)
	s.program.Send(offerMsg{q, answer})
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-answer:
		if a == "" {
			return "", ErrLeft
		}
		return a, nil
	}
}

// Skips are the names of gates that the operator has said to skip.
func (s *Screen) Skips() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.skipped)
}

// Hold keeps a run waiting before an effect while the operator has paused it.
func (s *Screen) Hold(ctx context.Context) (held bool, err error) {
	s.mu.Lock()
	resumed := s.resumed
	s.mu.Unlock()
	if resumed == nil {
		return false, nil
	}
	s.program.Send(heldMsg(true))
	defer s.program.Send(heldMsg(false))
	select {
	case <-ctx.Done():
		return true, context.Cause(ctx)
	case <-resumed:
		return true, nil
	}
}

// Log is a writer of lines that go to the screen's log: what is said beside the events must not tear the screen.
func (s *Screen) Log() io.Writer { return logWriter{s.program} }

type logWriter struct{ program *tea.Program }

// Write shows text in the log.
func (w logWriter) Write(text []byte) (int, error) {
	w.program.Send(logMsg(text))
	return len(text), nil
}

// Show opens the screen, makes the run, and closes the screen at its end: the terminal is then as it was before. When
// the operator asks for the way back, the run is ended and made again with back. The errors are the run's, and ErrLeft or
// ErrInterrupted where the operator has ended it.
func (s *Screen) Show(ctx context.Context, run Run) (rotation.Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan ending, 1)
	go func() { ended <- s.conduct(ctx, run) }()
	last, broken := s.program.Run()
	if m, ok := last.(model); ok && m.handing {
		s.handover = &m
	}
	if broken != nil {
		cancel(fmt.Errorf("the screen: %w", broken))
	}
	end := <-ended
	if end.panicked != nil {
		panic(end.panicked)
	}
	return end.result, errors.Join(end.err, broken)
}

// ending is how a run ended.
type ending struct {
	result   rotation.Result
	err      error
	panicked any
}

// conduct makes the legs of a run, then closes the screen.
func (s *Screen) conduct(ctx context.Context, run Run) (end ending) {
	defer s.program.Quit()
	defer func() { end.panicked = recover() }()
	for back := s.options.Back; ; back = true {
		leg, stop := context.WithCancelCause(ctx)
		s.mu.Lock()
		s.stop = stop
		s.mu.Unlock()
		end.result, end.err = run(leg, back)
		cause := context.Cause(leg)
		stop(nil)
		switch {
		case errors.Is(cause, errTakeBack) && end.err != nil:
			continue
		case errors.Is(cause, ErrLeft), errors.Is(cause, ErrInterrupted):
			if end.err != nil {
				end.err = cause
			}
		}
		return end
	}
}

// end ends the leg that runs now.
func (s *Screen) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop(why)
	}
	s.resume()
}

// pause has the run wait before its next effect, or go on.
func (s *Screen) pause(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !on:
		s.resume()
	case s.resumed == nil:
		s.resumed = make(chan struct{})
	}
}

// skip has the run go on without these gates.
func (s *Screen) skip(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, names...)
}

func (s *Screen) resume() {
	if s.resumed != nil {
		close(s.resumed)
		s.resumed = nil
	}
}
