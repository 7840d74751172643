package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// emergencyCommand is the rotation of a value that has leaked, under a name that is found when it is needed.
func emergencyCommand(g *global, e wiring.Engine) *cobra.Command {
	f := runFlags{compromised: true}
	c := &cobra.Command{
		Use:   fmt.Sprintf("emergency-%s [TARGET]", e.Kind),
		Short: fmt.Sprintf("Replace a %s key that has leaked, as fast as the cluster allows", e.Kind),
		Long:  e.Emergency,
		Example: fmt.Sprintf(`  kubectl rotate emergency-%[1]s --yes             # roll: new pods first
  kubectl rotate emergency-%[1]s --yes --cut       # end all old pods now
  kubectl rotate emergency-%[1]s --dry-run`, e.Kind),
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return g.run(c.Context(), request{runFlags: f, kind: e.Kind, args: args})
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
