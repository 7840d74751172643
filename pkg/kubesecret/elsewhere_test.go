package kubesecret

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
)

// What a rotation has lent to a canary goes with that pod, a while after it: until then it holds the login as others would.
func TestOthersAreThoseThatStay(t *testing.T) {
	secret := func(name string, labels map[string]string, owner string) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "backend", Name: name, Labels: labels}}
		if owner != "" {
			s.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: name}}
		}
		return s
	}
	ours := map[string]string{"app.kubernetes.io/managed-by": "kubectl-rotate"}
	record := secret("postgresql-credentials-rotate", ours, "")
	record.Type = ledger.SecretType
	s := &Store{ledger.Store{Ledger: ledger.Ledger{
		Secrets: fake.NewClientset(
			secret("postgresql-credentials", nil, ""), record, secret("postgresql-credentials-canary-abcde", ours, "Pod"),
			secret("reports-database", nil, ""), secret("of-a-pod", nil, "Pod"), secret("sealed", ours, "SealedSecret"),
		).CoreV1(),
		Namespace: "backend", Name: "postgresql-credentials", Content: login(),
	}}}
	others, ok, err := s.Others(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var names []string
	for _, o := range others {
		names = append(names, o.Name)
	}
	if diff := cmp.Diff([]string{"of-a-pod", "reports-database", "sealed"}, names); diff != "" {
		t.Error(diff)
	}
}
