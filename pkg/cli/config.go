package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func configCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Write a targets file, show the effective one, or find its mistakes",
		Long: `Write a targets file, show the effective one, or find its mistakes.

The file is the one given by --config, else ` + config.FileName + ` in the working directory or above, else key ` + config.ConfigMapKey + ` of ConfigMap
` + config.ConfigMapName + ` in the namespace. Without any, the defaults are a platform laid out as in the runbook.

A file that is found is used only if it and its folder belong to you or to root, and nobody else may write to them. The search ends at
your home folder, at the root of a git repository, and where another file system begins.

A ConfigMap that is found is data of its namespace: anybody who may write there may have written it. It can configure its own namespace
only: no other namespace, no address, no URL, no notifications, no protected contexts. Name it to trust all of it:
--config=configmap/` + config.ConfigMapName + `. Without a file no context is protected.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(initCommand(g), viewCommand(g), validateCommand(g), schemaCommand(g))
	return c
}

func viewCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "view",
		Short: "Print the effective configuration with all its defaults, as a file",
		Args:  usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			found, source, err := g.effective(c.Context())
			if err != nil {
				return err
			}
			text, err := found.View()
			if err != nil {
				return err
			}
			g.say("configuration: %s", source.Told())
			return g.Out.Document(text)
		},
	}
}

func validateCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Find all mistakes in a targets file, each with its line and field; exit code 2 if there are any",
		Args:  usage(cobra.MaximumNArgs(1)),
		Example: `  kubectl rotate config validate
  kubectl rotate config validate targets.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				g.config = args[0]
			}
			found, source, err := g.effective(c.Context())
			if errors.Is(err, os.ErrNotExist) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			return g.Out.Linef("%s is valid; its targets: %v", source, found.Names())
		},
	}
}

func schemaCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the targets file, for editors",
		Long: `Print the JSON Schema of the targets file, for editors. With it in a file of its own, the first line of a targets file can be:

  # yaml-language-server: $schema=config.schema.json`,
		Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Schema()
			if err != nil {
				return err
			}
			return g.Out.Document(text)
		},
	}
}

// effective is the configuration and where it comes from. No cluster is needed where there is a file; one that cannot be
// asked for a ConfigMap is said.
func (g *global) effective(ctx context.Context) (config.Config, config.Source, error) {
	within, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	asked := false
	found, source, err := g.load(within, func() (*kube.Clients, error) {
		asked = true
		return g.connect()
	})
	if err == nil || !asked || g.config != "" || errors.As(err, new(usageError)) || ctx.Err() != nil {
		return found, source, err
	}
	g.say("note: no cluster was asked for ConfigMap %s: %v", config.ConfigMapName, err)
	if hint := rotation.Hint(err); hint != "" {
		g.say("hint: %s", hint)
	}
	return config.Default(), config.Source{}, nil
}
