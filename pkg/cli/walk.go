package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// frontend is what a run is shown on, and who answers its questions.
type frontend struct {
	emit    func(rotation.Event)
	consent func(context.Context, rotation.Question) error
	hold    func(context.Context) (bool, error)
	offer   func(context.Context, rotation.Question) (rotation.Answer, error) // nil: nobody is asked, and a gate that fails ends the run
	skips   func() []string
	show    func(context.Context, checklist.Run) (rotation.Result, error)
	end     func(report.End) error
}

// walk makes a run and tells how it ended.
func (g *global) walk(ctx context.Context, o *wiring.Opened, want rotation.Want, q request) error {
	front, ended := g.kept(o, g.frontend(o, want, q))
	front, told := g.telling(ctx, o, front)
	begun := false
	emit := front.emit
	front.emit = func(e rotation.Event) {
		begun = begun || e.Started
		emit(e)
	}
	o.Emit, o.Consent, o.Hold, o.Offer, o.Skips = front.emit, o.Agreed.Keeping(front.consent), front.hold, front.offer, front.skips
	result, err := front.show(ctx, func(ctx context.Context, back bool) (rotation.Result, error) {
		return g.alone(ctx, o, towards(want, back), q.wait)
	})
	err = advise(o, err, result.Intent)
	ended(ctx, result, err)
	told(result, err)
	if errors.Is(err, rotation.ErrNothingUnderWay) {
		return err
	}
	if errors.Is(err, checklist.ErrLeft) {
		err, result.Outcome = nil, rotation.UnderWay
	}
	end := report.End{
		Outcome: result.Outcome, Err: err, Waiting: result.Waiting,
		Continue: command(o, result.Intent), Undo: undo(o, result),
	}
	if err := front.end(end); err != nil {
		return err
	}
	if text := exposed(o, result); text != "" && err == nil {
		g.say("%s", text)
	}
	if err == nil && result.Outcome == rotation.UnderWay {
		return underWay{"still under way"}
	}
	if err = o.Clients.Explain(err); err != nil && begun {
		return midway{err}
	}
	return err
}

// towards is the want of one direction: the one that was asked for, or the rollback that the
// operator starts on the screen.
func towards(want rotation.Want, back bool) rotation.Want {
	if back == want.Back {
		return want
	}
	return want.Abort()
}

// header says where this run takes place: context, server, namespace and user; and where its configuration comes from.
func (g *global) header(o *wiring.Opened) string {
	return fmt.Sprintf("%s in namespace %s; context %s, %s, as %s; configuration: %s",
		o.Target, o.Namespace, o.Clients.Context, o.Clients.Server, o.Operator, o.Source.Told())
}

// frontend is a screen or lines for people, or JSON for programs.
func (g *global) frontend(o *wiring.Opened, want rotation.Want, q request) frontend {
	switch {
	case q.output == "json":
		j := report.NewJSON(g.Out)
		return frontend{emit: j.Emit, consent: g.consent(o, q), offer: g.offer(o, q), show: g.plainly(o, want), end: func(report.End) error { return j.Err() }}
	case q.output == "" && g.screenWanted():
		return g.onScreen(o, want, q)
	}
	lines, summary := report.NewLines(g.Err, g.style()), &report.Summary{}
	return frontend{
		emit:    func(e rotation.Event) { lines.Emit(e); summary.Emit(e) },
		consent: g.consent(o, q), offer: g.offer(o, q), show: g.plainly(o, want),
		end: func(end report.End) error { return summary.Write(g.Out, end, g.style()) },
	}
}

// plainly makes a run below a line that says where it takes place.
func (g *global) plainly(o *wiring.Opened, want rotation.Want) func(context.Context, checklist.Run) (rotation.Result, error) {
	return func(ctx context.Context, run checklist.Run) (rotation.Result, error) {
		g.say("%s", g.header(o))
		return run(ctx, want.Back)
	}
}

// plan shows what a run would do.
func (g *global) plan(ctx context.Context, o *wiring.Opened, want rotation.Want, output string) error {
	intent, steps, err := o.Plan(ctx, want)
	if err != nil && len(steps) == 0 {
		return o.Clients.Explain(err)
	}
	show := report.Plan
	if output == "json" {
		show = report.PlanJSON
	}
	g.say("%s", g.header(o))
	return errors.Join(show(g.Out, intent, steps), o.Clients.Explain(err))
}

// say writes one line for the operator.
func (g *global) say(format string, args ...any) {
	_ = g.Err.Linef(format, args...)
}
