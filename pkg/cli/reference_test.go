package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The page of all commands is what their help says; `make docs` writes it.
func TestReferenceOfCommandsIsUpToDate(t *testing.T) {
	golden(t, "../../docs/reference/commands.md", reference())
}

func reference() string {
	var out strings.Builder
	out.WriteString("# Commands\n\nWhat `--help` says, written by `make docs`. All of kubectl's own flags go with every command, after `rotate`.\n")
	root := rootCommand(newGlobal(Streams{}.filled()))
	root.InitDefaultHelpFlag()
	describe(&out, root)
	return out.String()
}

// describe writes a command, and those below it.
func describe(out *strings.Builder, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	fmt.Fprintf(out, "\n## %s\n\n%s\n", strings.ReplaceAll(c.CommandPath(), "kubectl-rotate", "kubectl rotate"), paragraphs(c))
	if c.Runnable() {
		fmt.Fprintf(out, "\n    %s\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(out, "\nExamples:\n\n%s\n", indented(c.Example))
	}
	flags(out, c)
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" && !(c.Name() == "completion" && sub.Name() != "kubectl") {
			describe(out, sub)
		}
	}
}

func paragraphs(c *cobra.Command) string {
	if c.Long == "" {
		return c.Short + "."
	}
	return strings.ReplaceAll(strings.TrimSpace(c.Long), "\n  ", "\n    ")
}

func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString("    " + strings.TrimPrefix(line, "  "))
	}
	return strings.TrimRight(out.String(), "\n")
}

// flags are those of the command itself.
func flags(out *strings.Builder, c *cobra.Command) {
	var rows []string
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || !c.HasParent() && f.Name != "config" && f.Name != "v" {
			return
		}
		name := "`--" + f.Name
		if f.Value.Type() != "bool" {
			name += "=" + strings.ToUpper(f.Name)
		}
		name += "`"
		if f.Shorthand != "" {
			name += ", `-" + f.Shorthand + "`"
		}
		standard := ""
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0s" && f.DefValue != "0" {
			standard = "`" + f.DefValue + "`"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", name, strings.ReplaceAll(f.Usage, "|", "\\|"), standard))
	})
	if len(rows) > 0 {
		fmt.Fprintf(out, "\n| flag | means | default |\n|---|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
}
