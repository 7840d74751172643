package cli

import (
	"fmt"

	"github.com/spf13/cobra"

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
