package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cluster"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/image"
)

const imageUsage = `Builds an image and imports it. With no flags: the base, kubectl-rotate.test/platform-base:dev.

usage: cluster image [--name NAME [--base platform-base] [--file HOST:CONTAINER]… [--entrypoint ARG]…
                     [--env KEY=VALUE]… [--user UID[:GID]]]
`

// imageFlags is the command line of image.
type imageFlags struct {
	name, base string
	spec       image.Spec
}

func parseImageFlags(args []string) (imageFlags, error) {
	var f imageFlags
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&f.name, "name", "", "")
	flags.StringVar(&f.base, "base", "", "")
	flags.StringVar(&f.spec.User, "user", "", "")
	flags.Func("entrypoint", "", func(s string) error { f.spec.Entrypoint = append(f.spec.Entrypoint, s); return nil })
	flags.Func("env", "", func(s string) error { f.spec.Env = append(f.spec.Env, s); return nil })
	flags.Func("file", "", func(s string) error {
		file, err := image.ParseFile(s)
		f.spec.Files = append(f.spec.Files, file)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return f, err
	}
	switch {
	case flags.NArg() > 0:
		return f, fmt.Errorf("image takes no argument %q", flags.Arg(0))
	case f.base != "" && f.base != "platform-base":
		return f, fmt.Errorf("there is no base %q, only platform-base", f.base)
	case f.name == "" && len(args) > 0:
		return f, errors.New("--name is missing")
	}
	return f, nil
}

// parseImage understands the command line of image; asked for help, it gives that and returns flag.ErrHelp.
func parseImage(args []string, stdout io.Writer) (command, error) {
	f, err := parseImageFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, imageUsage)
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w; %w", err, errUsage)
	}
	return f.build, nil
}

func (f imageFlags) build(ctx context.Context, c *cluster.Cluster) error {
	if err := c.TakesImages(ctx); err != nil {
		return err
	}
	names := []string{f.name}
	if f.base != "" || f.name == "" {
		base, err := c.Base(ctx)
		if err != nil {
			return err
		}
		f.spec.Base = base.Image
		if f.name == "" {
			names = []string{image.BaseName + ":dev", image.BaseName + ":" + base.Key}
		}
	}
	img, err := f.spec.Build()
	if err != nil {
		return err
	}
	return c.Import(ctx, img, names...)
}
