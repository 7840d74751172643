package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// emergencyCommand is the rotation of a value that has leaked, under a name that is found when it is needed.
func emergencyCommand(g *global, e engine) *cobra.Command {
	f := runFlags{compromised: true}
	c := &cobra.Command{
		Use:   fmt.Sprintf("emergency-%s [TARGET]", e.kind),
		Short: fmt.Sprintf("Replace a %s key that has leaked, as fast as the cluster allows", e.kind),
		Long:  e.emergency,
		Example: fmt.Sprintf(`  kubectl rotate emergency-%[1]s --yes             # roll: new pods first
  kubectl rotate emergency-%[1]s --yes --cut       # end all old pods now
  kubectl rotate emergency-%[1]s --dry-run`, e.kind),
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return g.run(c.Context(), request{runFlags: f, kind: e.kind, args: args})
		},
	}
	f.add(c.Flags())
	f.addBegin(c.Flags())
	f.addLeak(c.Flags())
	c.Flags().BoolVar(&f.flush, "flush-db", false, "once every pod refuses the leaked key, empty the database that sessions are in (FLUSHDB), whatever else is there; it is shown what goes")
	for _, name := range []string{"soak", "stragglers", "canary"} { // they have no meaning here
		_ = c.Flags().MarkHidden(name)
	}
	return c
}

// leaked has a run answer to a leak: only what it can't do without is looked at before, and the ends of pods are followed.
func (o *opened) leaked(ctx context.Context, in opening, f runFlags) error {
	switch {
	case o.sessions != nil:
		o.sessions.flush = f.flush
		o.Aftermath = o.sessions
	case f.flush:
		return usageError{rotation.WithHint(errors.New("--flush-db: the configuration does not say which database"), "say where sessions are kept: jwt.sessions")}
	}
	if o.urgent != nil {
		o.Preflight = o.urgent
	}
	o.Asked = o.clients.Now()
	if !f.asked.IsZero() {
		o.Asked = o.Asked.Add(-time.Since(f.asked))
	}
	if r := in.target.Refused; r != nil {
		o.Refused = o.tally(in, *r)
		if !f.wait {
			o.Refused.Delay = 0
		}
	}
	across, ok := o.Consumers.(workload.Across)
	if !ok {
		return nil
	}
	watched, stop := context.WithCancel(ctx)
	o.onClose(stop)
	o.Exits = across.Exits(watched)
	if f.cut {
		o.Cut = across.Cut
		o.note("--cut: all pods that may hold the leaked value are ended at once, whether or not others can take their place: an outage until new ones are ready")
	}
	return nil
}

// exposed names the pods that a run which was to answer to a leak has left with the leaked value; "" where there are none, or
// where nothing more can be done about them.
func (o *opened) exposed(r rotation.Result) string {
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

// advised is err with what ends pods that can't be replaced, where a leaked value waits for them.
func (o *opened) advised(err error, i rotation.Intent) error {
	var failed *rotation.FailedError
	if !i.Compromised || o.Cut != nil || !errors.As(err, &failed) || rotation.Hint(err) != "" {
		return err
	}
	return rotation.WithHint(err, "pods that hold the leaked value are still there: --cut ends them, even if no others can take their place")
}
