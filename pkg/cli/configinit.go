package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/discover"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

func initCommand(g *global) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Ask the cluster what there is to rotate, and write a commented targets file",
		Long: `Ask the cluster what there is to rotate in the namespace, and write a commented targets file: the pods of databases, the Secrets
with a login that workloads read, and who reads them. Nothing in the cluster changes. FILE is ` + config.FileName + ` by default; - is the
standard output. A file that is there is left alone, unless told otherwise by --force.`,
		Example: `  kubectl rotate config init -n shop
  kubectl rotate config init -n shop - | less`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			path := config.FileName
			if len(args) == 1 {
				path = args[0]
			}
			return g.initConfig(c.Context(), path, force)
		},
	}
	c.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return c
}

func (g *global) initConfig(ctx context.Context, path string, force bool) error {
	if err := free(path, force); err != nil {
		return err
	}
	clients, err := g.connect()
	if err != nil {
		return err
	}
	var kinds []discover.Kind
	for _, e := range wiring.Engines() {
		if e.Discover != nil {
			kinds = append(kinds, *e.Discover)
		}
	}
	seen, err := discover.In(ctx, clients.Kube, clients.Namespace, kinds)
	if err != nil {
		return clients.Explain(err)
	}
	drafts := seen.Drafts()
	if len(drafts) == 0 {
		return rotation.WithHint(fmt.Errorf("nothing to rotate was found in namespace %s: %s", clients.Namespace, seen),
			"choose another namespace with -n; `kubectl rotate config view` prints a file to begin with")
	}
	text, err := config.DraftFile(drafts, fmt.Sprintf("What `kubectl rotate config init` found in namespace %s of context %s on %s: %s. Go through it, then see `kubectl rotate status` and `kubectl rotate %s --dry-run`.",
		clients.Namespace, clients.Context, clients.Now().UTC().Format(time.DateOnly), seen, drafts[0].Target.Kind),
		"Every field: `kubectl rotate config view`; for editors: `kubectl rotate config schema`.")
	if err != nil {
		return err
	}
	if _, err := config.Parse(path, text); err != nil {
		return fmt.Errorf("what was found makes no valid file: %w", err)
	}
	if path == "-" {
		return g.Out.Document(text)
	}
	if err := put(path, text, force); err != nil {
		return err
	}
	var names []string
	for _, d := range drafts {
		names = append(names, d.Target.Name)
	}
	return g.Out.Linef("%s written; its targets: %s", path, strings.Join(names, ", "))
}

// free says whether path may be written, before a cluster is asked for what to write.
func free(path string, force bool) error {
	if path == "-" || force {
		return nil
	}
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return taken(path)
}

func taken(path string) error {
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s is there already, and was left alone", path),
		"name another file, print it with -, or write over it with --force"))
}

// put writes a new file, or over an old one where that is wanted.
func put(path string, text []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if !force {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0o644) //nolint:gosec // it holds no secret, and is to be shared
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
