package cli

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What prints past the one place that cleans is refused by the linter, as far as names tell.
func TestTheLinterForbidsOtherWaysToPrint(t *testing.T) {
	text, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Linters struct {
			Enable   []string
			Settings struct {
				Forbidigo struct {
					AnalyzeTypes bool `yaml:"analyze-types"`
					Forbid       []struct{ Pattern string }
				}
			}
			Exclusions struct {
				Rules []struct {
					Linters    []string
					Path       string
					PathExcept string `yaml:"path-except"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	f := c.Linters.Settings.Forbidigo
	if !slices.Contains(c.Linters.Enable, "forbidigo") || !f.AnalyzeTypes {
		t.Fatal("forbidigo does not run, or does not know types")
	}
	forbidden := func(name string) bool {
		return slices.ContainsFunc(f.Forbid, func(p struct{ Pattern string }) bool { return regexp.MustCompile(p.Pattern).MatchString(name) })
	}
	for _, name := range []string{
		"fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "fmt.Print", "fmt.Printf", "fmt.Println", "print", "println", "io.WriteString", "io.Copy", "os.Stdout", "os.Stderr",
		"cobra.Command.Println", "cobra.Command.OutOrStdout", "log.Printf",
	} {
		if !forbidden(name) {
			t.Errorf("%s is allowed", name)
		}
	}
	for _, name := range []string{"fmt.Sprintf", "fmt.Errorf", "report.Printer.Printf", "report.Printer.Linef", "os.Stdin"} {
		if forbidden(name) {
			t.Errorf("%s is forbidden", name)
		}
	}
	for _, path := range []string{"pkg/cli/walk.go", "pkg/report/lines.go", "pkg/checklist/view.go", "cmd/kubectl-rotate/main.go"} {
		for _, r := range c.Linters.Exclusions.Rules {
			if slices.Contains(r.Linters, "forbidigo") && (r.Path != "" && regexp.MustCompile(r.Path).MatchString(path) ||
				r.PathExcept != "" && !regexp.MustCompile(r.PathExcept).MatchString(path)) {
				t.Errorf("%s is left out by %+v", path, r)
			}
		}
	}
}
