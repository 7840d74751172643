package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

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

// exposed names the pods that a run which was to answer to a leak has left with the leaked value; "" where there are none, or
// where nothing more can be done about them.
func exposed(o *wiring.Opened, r rotation.Result) string {
	if !r.Intent.Compromised || r.Outcome != rotation.UnderWay || o.Cut != nil {
		return ""
	}
	var names []string
	for _, item := range r.Waiting.Items {
		if item.Phase == rotation.ToDo {
			names = append(names, item.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("still there with the leaked value: %s; --cut ends them, even if no others can take their place", strings.Join(names, ", "))
}

// advise is err with what ends pods that can't be replaced, where a leaked value waits for them.
func advise(o *wiring.Opened, err error, i rotation.Intent) error {
	var failed *rotation.FailedError
	if !i.Compromised || o.Cut != nil || !errors.As(err, &failed) || rotation.Hint(err) != "" {
		return err
	}
	return rotation.WithHint(err, "pods that hold the leaked value are still there: --cut ends them, even if no others can take their place")
}
