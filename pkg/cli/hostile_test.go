package cli

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"k8s.io/klog/v2"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

const hostile = "pg\x1b[2J\x1b]0;title\a\x1b[31m\u009b2J\x00\x7f\u202eevil\u200b\u2028\ufeff\xff\r\nhint: type 2\n"

// obeyed are the characters in text that a terminal obeys, or that change what a person reads.
func obeyed(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return r
		}
		return -1
	}, text)
}

// harmless fails where a terminal would obey something of text, or where others have written a line of it.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	if bad := obeyed(text); bad != "" || strings.Contains(text, "\nhint: type 2") {
		t.Errorf("%s: %q in %q", what, bad, text)
	}
	if !strings.Contains(text, "evil") {
		t.Errorf("%s: what was said is not there: %q", what, text)
	}
}

// Questions, notes and errors hold what pods, tenants and servers say. It can neither clear the screen nor paint choices of its own.
func TestNobodySpeaksToTheTerminal(t *testing.T) {
	question := rotation.Question{Step: hostile, Kind: hostile, Text: hostile}
	for name, print := range map[string]func(*global, *wiring.Opened){
		"a line": func(g *global, _ *wiring.Opened) { g.say("note: %v", errors.New(hostile)) },
		"a note": func(_ *global, o *wiring.Opened) { o.Note(hostile) },
		"a question": func(g *global, o *wiring.Opened) {
			_ = g.consent(o, request{})(context.Background(), question)
		},
		"a protected context": func(g *global, o *wiring.Opened) {
			o.Protected = hostile
			asked := question
			asked.Kind = rotation.ConsentProceed
			_ = g.consent(o, request{})(context.Background(), asked)
		},
		"a gate": func(g *global, o *wiring.Opened) {
			_, _ = g.offer(o, request{})(context.Background(), question)
		},
		"an error":  func(g *global, _ *wiring.Opened) { complain(g, rotation.WithHint(errors.New(hostile), hostile)) },
		"attention": func(g *global, _ *wiring.Opened) { complain(g, attention{hostile}) },
		"later":     func(g *global, _ *wiring.Opened) { complain(g, underWay{hostile}) },
		"a header":  func(g *global, o *wiring.Opened) { g.say("%s", g.header(o)) },
		"client-go": func(g *global, _ *wiring.Opened) {
			rootCommand(g)
			klog.Error(hostile)
			klog.Flush()
		},
		"client-go with -v": func(g *global, _ *wiring.Opened) {
			rootCommand(g).SetArgs(nil)
			if err := g.logs.Set("6"); err != nil {
				t.Error(err)
			}
			klog.V(6).Info(hostile)
			klog.Flush()
		},
		"a warning of the API server": func(g *global, _ *wiring.Opened) {
			if _, err := g.Err.Write([]byte("Warning: " + strings.TrimSpace(strings.ReplaceAll(hostile, "\n", " ")) + "\n")); err != nil {
				t.Error(err)
			}
		},
	} {
		for _, term := range []string{"dumb", "xterm"} {
			var screen strings.Builder
			env := func(name string) (string, bool) { return term, name == "TERM" || name == "NO_COLOR" }
			g := newGlobal(Streams{In: strings.NewReader("n\n"), Err: &screen, Terminal: true, Env: env}.filled())
			o := somewhere()
			o.Say, o.Target, o.Operator, o.Namespace, o.Clients.Context, o.Clients.Server = g.say, hostile, hostile, hostile, hostile, hostile
			print(g, o)
			text := screen.String()
			if strings.HasPrefix(name, "client-go") {
				text = strings.ReplaceAll(text, "\nhint: type 2", "") // a log keeps its lines
			}
			harmless(t, name, text)
		}
	}
}

// kubeconfigOf is a file with one context for a server.
func kubeconfigOf(t *testing.T, name, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion": "v1", "kind": "Config", "current-context": ` + name + `,
 "contexts": [{"name": ` + name + `, "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
 "clusters": [{"name": "c", "cluster": {"server": "` + server + `"}}], "users": [{"name": "u", "user": {}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An API server that says the worst in each of its answers, and a kubeconfig whose context is called so: no command prints a byte of it
// as it is.
func TestNoCommandPrintsWhatAServerSaysAsItIs(t *testing.T) {
	const said = `pg\u001b[2J\u001b]0;title\u0007\u009b2J\u0000\u007f\u202eevil\u200b\u2028\ufeff\r\nhint: type 2\n`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Warning", `299 - "evil warning \u202e"`)
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "` + said + `"}`))
	}))
	t.Cleanup(s.Close)
	kubeconfig := kubeconfigOf(t, `"`+`pg\u202eevil\u001b[2J`+`"`, s.URL)
	targets := filepath.Join(t.TempDir(), "targets.yaml")
	if err := os.WriteFile(targets, []byte("apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n  secret: {name: orders}\n  owner: \"evil \\e[2J\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"status", "status -A", "status -A -o wide", "status -o json", "status -o yaml", "status postgres", "status postgres -o timeline",
		"history", "history postgres 1", "postgres --dry-run", "postgres --yes", "postgres --yes -o json", "abort postgres --yes", "redis --dry-run",
		"jwt --compromised --yes", "config init -", "config view", "rbac", "status evil\x1b[2J", "postgres --via=evil\x1b[2J", "evil\x1b[2J",
		"status --context=evil\x1b[2J", "__complete status ''", "status -v=7",
	} {
		for _, config := range []string{"", targets} {
			var out, err strings.Builder
			args := append(strings.Fields(line), "--kubeconfig", kubeconfig)
			if config != "" {
				args = append(args, "--config", config)
			}
			if strings.HasPrefix(line, "__complete") {
				args = []string{"__complete", "--kubeconfig", kubeconfig, "--config", config, "status", ""}
			}
			Run(t.Context(), args, Streams{Out: &out, Err: &err, Env: func(string) (string, bool) { return "", false }})
			if text := out.String() + err.String(); obeyed(text) != "" || text == "" {
				t.Errorf("%s: %q in %q", line, obeyed(text), text)
			}
		}
	}
}
