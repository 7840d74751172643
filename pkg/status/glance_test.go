package status

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
	v := Viewer{
		Clients:  &kube.Clients{Kube: fake.NewClientset(), Metadata: metadata.NewSimpleMetadataClient(scheme, there...), Namespace: "shop"},
		Selector: selected, Presumed: presumed,
		Known:   func(config.Kind) bool { return true },
		Outline: func(config.Kind) func(rotation.Intent) []rotation.Step { return rotation.ServerOutline },
		Line:    func(config.Target, string, bool, bool) string { return "" },
		Store: func(t config.Target, namespace string) rotation.Store {
			return &ledger.Store{Ledger: ledger.Ledger{Secrets: fake.NewClientset().CoreV1(), Namespace: namespace, Name: t.Secret.Name}}
		},
	}
	all, err := v.Look(t.Context(), found.Targets, false)
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
}
