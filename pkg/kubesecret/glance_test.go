package kubesecret

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// metadataOf is what a list of metadata gives of a Secret.
func metadataOf(s *corev1.Secret) *metav1.PartialObjectMetadata {
	if s == nil {
		return nil
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: s.ObjectMeta}
}

// glance is the record as the metadata tells it.
func glance(t *testing.T, s *apiServer) (rotation.Record, ledger.About) {
	t.Helper()
	rec, about, err := ledger.Glance(metadataOf(s.get(name)), metadataOf(s.get(ledger.Record(name))))
	must(t, err)
	return rec, about
}

// After each write of a rotation, and of the way back from one, a glance tells what a look at the values tells.
func TestGlanceTellsWhatALookTells(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	s.About = ledger.About{Name: "shop", Kind: "postgres", Owner: "SRE", Interval: 24 * time.Hour}
	same := func(when string) {
		t.Helper()
		got, about := glance(t, server)
		want := load(t, s)
		if want.Intent != nil && about != s.About {
			t.Errorf("%s: about %+v", when, about)
		}
		said := func(r rotation.Record) string {
			ids := ""
			for _, v := range versions(r.Live) {
				ids += fmt.Sprintf(" %v=%s", v, r.Live[v].ID)
			}
			return fmt.Sprintf("active %v, standby %v, phase %q, changed %v, live%s, gone %v, finished %v",
				r.Active(), r.Standby(), rotation.PhaseOf(rotation.ServerOutline, r), r.Changed(), ids, versions(r.Gone), r.Finished())
		}
		if diff := cmp.Diff(said(want), said(got)); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	same("before anything")
	for i, step := range steps(s) {
		server.pass(time.Minute)
		must(t, step(t))
		same(fmt.Sprint("write ", i))
	}
	must(t, intend(t, s, rotation.Intent{From: 2, To: 3, Attempt: 2}))
	same("another begins")
	must(t, s.Stage(t.Context(), load(t, s).Revision, rotation.Credential{V: 3, ID: "backend_v3", Value: rotation.NewSecret([]byte("x"))}))
	must(t, intend(t, s, rotation.Intent{From: 3, To: 2, Attempt: 3, Back: true}))
	same("it is taken back")
	must(t, s.Retire(t.Context(), load(t, s).Revision, 3))
	same("and is gone")
	if text := fmt.Sprint(server.get(ledger.Record(name)).Annotations); strings.Contains(text, "value-of") {
		t.Errorf("a value stands in the metadata: %s", text)
	}
}

// A second Secret that says nothing of its versions is not taken for one without any: that would read as standby.
func TestGlanceWithoutVersionsIsNoStandby(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	server.change(ledger.Record(name), func(secret *corev1.Secret) { delete(secret.Annotations, ledger.AnnotationVersions) })
	if rec, _ := glance(t, server); rec.Standby() {
		t.Errorf("standby: %+v", rec)
	}
}

func TestGlanceAtALostAnnotation(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	rotated(t, s)
	server.change(name, func(secret *corev1.Secret) { secret.Annotations = nil })
	if rec, _ := glance(t, server); rec.Active() != 2 || rec.Current.ID != "backend_v2" {
		t.Errorf("got %+v", rec)
	}
}

func TestGlanceAtAnAnnotationThatWasEdited(t *testing.T) {
	server, client := serve(t, appSecret())
	rotated(t, newStore(client.CoreV1()))
	server.change(ledger.Record(name), func(secret *corev1.Secret) { secret.Annotations[ledger.AnnotationVersions] = "{" })
	_, _, err := ledger.Glance(metadataOf(server.get(name)), metadataOf(server.get(ledger.Record(name))))
	if err == nil || !strings.Contains(err.Error(), "postgresql-credentials-rotate: reading annotation kubectl-rotate/versions") {
		t.Errorf("got %v", err)
	}
}
