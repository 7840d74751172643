package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the linker in a release: -X …/pkg/cli.release=v1.2.3.
var release string

// build says what this program is.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}

func versionCommand(g *global) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program; no cluster is contacted",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			switch output {
			case "json":
				return g.Out.JSON(b, "")
			case "":
				return g.Out.Linef("kubectl rotate %s (%s, %s)", b.Version, b.Go, b.Platform)
			}
			return usageError{fmt.Errorf("--output %q: want json or nothing", output)}
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "json, or nothing for one line of text")
	return c
}
