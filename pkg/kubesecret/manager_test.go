package kubesecret

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// TestWhoWroteItOnCluster is about what only a real API server knows: who owns a field, and when it was written.
func TestWhoWroteItOnCluster(t *testing.T) {
	client := cluster(t)
	s := newStore(client.CoreV1())
	s.Namespace = namespace(t, client)
	s.Now = func() time.Time { return time.Now().Add(-time.Hour) } // a clock that is an hour late
	secret := appSecret()
	secret.Namespace = s.Namespace
	_, err := client.CoreV1().Secrets(s.Namespace).Create(t.Context(), secret, metav1.CreateOptions{FieldManager: "helm"})
	must(t, err)
	before := time.Now().Add(-2 * time.Second)
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	written := load(t, s).Latest().Written
	if written.Before(before) || written.After(time.Now().Add(2*time.Second)) {
		t.Errorf("edition 2 was written at %v by the record, and just now by the clock", written)
	}
	found, err := client.CoreV1().Secrets(s.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	want := map[string][]string{ledger.FieldManager: {"username", "password", "url"}, "helm": {"ca.crt"}}
	if diff := cmp.Diff(want, managersOf(found, []string{"username", "password", "url", "ca.crt"})); diff != "" {
		t.Errorf("who owns which key (-want +got):\n%s", diff)
	}
	must(t, s.Note(t.Context(), load(t, s).Revision, func(r *rotation.Record) { r.High = 5 }))
	if got := load(t, s).Latest().Written; !got.Equal(written) {
		t.Errorf("a later write moved edition 2 from %v to %v", written, got)
	}
}
