package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
)

var (
	yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	// command is one in code: an indented line, or a span.
	command = regexp.MustCompile("(?m)(?:^    |`)kubectl rotate ([^\n`#|;&(]*)")
	flag    = regexp.MustCompile(`--[a-z][a-z-]+`)
	// flagInSpan is a flag that a document names by itself.
	flagInSpan = regexp.MustCompile("`(--[a-z][a-z-]+)[=`]")
	// section is where the reference describes one command, and flagInTable a flag of it.
	section     = regexp.MustCompile(`(?m)^## kubectl rotate(.*)$`)
	flagInTable = regexp.MustCompile("(?m)^\\| `(--[a-z-]+)")
	// elsewhere are flags of kubectl, and of other programs.
	elsewhere = []string{"--config", "--context", "--kubeconfig", "--as", "--namespace", "--from-literal", "--requirepass"}
)

// What a reader copies into a targets file is valid. A part of a target gets what is missing around it.
func TestConfigurationInTheDocumentsIsValid(t *testing.T) {
	blocks := 0
	for _, path := range written(t) {
		for _, m := range yamlBlock.FindAllStringSubmatch(read(t, path), -1) {
			blocks++
			if _, err := config.Parse(path, []byte(completed(m[1]))); err != nil {
				t.Errorf("%s:\n%s\n%v", path, m[1], err)
			}
		}
	}
	if blocks < 15 {
		t.Errorf("%d examples are read", blocks)
	}
}

// completed is a whole targets file with an example in it.
func completed(example string) string {
	const head = "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n"
	if strings.HasPrefix(example, "apiVersion:") {
		return example
	}
	if strings.HasPrefix(example, "- name:") {
		return head + example
	}
	kind, jwt := "postgres", ""
	for _, k := range []string{"redis", "jwt"} {
		if strings.HasPrefix(example, k+":") {
			kind = k
		}
	}
	if kind == "jwt" {
		jwt = "  secret: {name: keys}\n"
	}
	return head + "- name: example\n  kind: " + kind + "\n" + jwt + regexp.MustCompile(`(?m)^`).ReplaceAllString(strings.TrimSuffix(example, "\n"), "  ") + "\n"
}

// What a reader types exists: the command, and its flags.
func TestCommandsInTheDocumentsExist(t *testing.T) {
	reference := flagsOf(t)
	found := 0
	for _, path := range written(t) {
		for _, m := range command.FindAllStringSubmatch(read(t, path), -1) {
			words := strings.Fields(m[1])
			if len(words) == 0 || !regexp.MustCompile(`^[a-z-]+$`).MatchString(words[0]) {
				continue
			}
			name := words[0]
			if len(words) > 1 && reference[name+" "+words[1]] != nil {
				name += " " + words[1]
			}
			known, ok := reference[name]
			if !ok {
				t.Errorf("%s: there is no `kubectl rotate %s`", path, name)
				continue
			}
			found++
			for _, f := range flag.FindAllString(m[1], -1) {
				if !slices.Contains(known, f) && !slices.Contains(elsewhere, f) {
					t.Errorf("%s: `kubectl rotate %s` has no flag %s", path, name, f)
				}
			}
		}
		for _, f := range flagInSpan.FindAllStringSubmatch(read(t, path), -1) {
			if !isFlag(reference, f[1]) && !slices.Contains(elsewhere, f[1]) {
				t.Errorf("%s: no command has a flag %s", path, f[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("%d commands are read", found)
	}
}

func isFlag(reference map[string][]string, name string) bool {
	for _, flags := range reference {
		if slices.Contains(flags, name) {
			return true
		}
	}
	return false
}

// flagsOf are the flags of each command, by the command's words after "kubectl rotate".
func flagsOf(t *testing.T) map[string][]string {
	t.Helper()
	text := read(t, "docs/reference/commands.md")
	commands := map[string][]string{}
	at := section.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		flags := []string{}
		for _, f := range flagInTable.FindAllStringSubmatch(text[m[0]:end], -1) {
			flags = append(flags, f[1])
		}
		commands[strings.TrimSpace(text[m[2]:m[3]])] = flags
	}
	return commands
}
