package cli

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// onScreen is a run that has the terminal to itself. What it came to stays on the terminal after it.
func (g *global) onScreen(o *wiring.Opened, want rotation.Want, q request) frontend {
	covers := func(kind string) bool { return q.covers(kind) }
	screen := checklist.New(checklist.Options{
		In: g.In, Out: g.screen, Style: g.style(), Back: want.Back, Covers: covers, Now: o.Now, Protected: o.Protected,
		Header: checklist.Header{
			Target: o.Target, Context: o.Clients.Context, Server: o.Clients.Server, Namespace: o.Namespace, User: o.Operator,
			Configuration: o.Source.Told(),
		},
		Secret: o.Config.Secret.Name,
		Commands: func(back bool) (next, undoing string) {
			i := rotation.Intent{Back: back, Compromised: want.Compromised && !back}
			return command(o, i), undo(o, rotation.Result{Intent: i})
		},
	})
	summary, last := &report.Summary{}, &scroll{}
	return frontend{
		emit:    func(e rotation.Event) { screen.Emit(e); summary.Emit(e); last.emit(e) },
		consent: screen.Consent,
		hold:    screen.Hold,
		offer:   offered(screen, q),
		skips:   screen.Skips,
		show: func(ctx context.Context, run checklist.Run) (rotation.Result, error) {
			defer g.divert(screen.Log())()
			return screen.Show(ctx, func(ctx context.Context, back bool) (rotation.Result, error) {
				w := towards(want, back)
				if err := g.foresee(ctx, o, w, screen, q); err != nil {
					return rotation.Result{}, err
				}
				return run(ctx, back)
			})
		},
		end: func(end report.End) error {
			g.say("%s", g.header(o))
			last.write(report.NewLines(g.Err, g.style()))
			if err := screen.WriteHandover(g.Err); err != nil {
				return err
			}
			return summary.Write(g.Out, end, g.style())
		},
	}
}

// offered is what is asked on the screen about a gate that has failed. Whoever has said yes to all beforehand is not asked: it is
// taken back.
func offered(screen *checklist.Screen, q request) func(context.Context, rotation.Question) (rotation.Answer, error) {
	if q.yes {
		return nil
	}
	return screen.Offer
}

// foresee has the screen show the steps to come. Before somebody is asked, it shows what each would do.
func (g *global) foresee(ctx context.Context, o *wiring.Opened, w rotation.Want, screen *checklist.Screen, q request) error {
	intent, steps, err := o.Steps(ctx, w)
	if err != nil {
		return err
	}
	screen.Plan(intent, listed(steps))
	screen.Usually(usually(ctx, o, intent.Back))
	o.Enter = func(i rotation.Intent, steps []rotation.Step) { // a rotation that fails turns round by itself
		screen.Plan(i, listed(steps))
		if i.Back != intent.Back {
			screen.Usually(usually(ctx, o, i.Back))
		}
	}
	if q.covers(rotation.ConsentProceed) {
		return nil
	}
	intent, plan, err := o.Plan(ctx, w)
	if err == nil {
		screen.Plan(intent, plan)
	}
	return err
}

// listed are steps without what each would do.
func listed(steps []rotation.Step) []rotation.Planned {
	plan := make([]rotation.Planned, len(steps))
	for i, s := range steps {
		plan[i] = s.Planned()
	}
	return plan
}

// scroll keeps the last event of each step, for the lines that stay on the terminal.
type scroll struct{ events []rotation.Event }

func (s *scroll) emit(e rotation.Event) {
	for i := range s.events {
		if k := &s.events[i]; k.Step == e.Step && k.Attempt == e.Attempt && k.Back == e.Back {
			*k = e
			return
		}
	}
	s.events = append(s.events, e)
}

func (s *scroll) write(lines *report.Lines) {
	for _, e := range s.events {
		lines.Emit(e)
	}
}
