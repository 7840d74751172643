package kubehistory

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var configMaps = schema.GroupResource{Resource: "configmaps"}

func entry(attempt int, run, by string) history.Entry {
	began := noon.Add(time.Duration(attempt) * time.Hour)
	return history.Entry{
		Target: "postgres", Attempt: attempt, From: rotation.Version(attempt), To: rotation.Version(attempt + 1),
		Runs: []history.Run{{ID: run, By: []string{by}, Began: began, Last: began, Steps: []history.Step{{Name: "stage", Took: 1, Done: true}}}},
	}
}

func storeOn(client *fake.Clientset) *Store {
	return &Store{ConfigMaps: client.CoreV1(), Namespace: "default", Secret: "postgresql-credentials"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsPutIsLoaded(t *testing.T) {
	s := storeOn(fake.NewClientset())
	if got, err := s.Load(t.Context()); err != nil || len(got) > 0 {
		t.Fatalf("of nothing: %v, %v", got, err)
	}
	must(t, s.Put(t.Context(), entry(1, "a", "anna")))
	must(t, s.Put(t.Context(), entry(1, "b", "ben"), entry(2, "b", "ben")))
	got, err := s.Load(t.Context())
	must(t, err)
	want := entry(1, "a", "anna")
	want.Runs = append(want.Runs, entry(1, "b", "ben").Runs...)
	if diff := cmp.Diff([]history.Entry{want, entry(2, "b", "ben")}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheOldestEntriesLeaveTheConfigMap(t *testing.T) {
	client := fake.NewClientset()
	s := storeOn(client)
	for i := range history.Most + 5 {
		must(t, s.Put(t.Context(), entry(i+1, "a", "anna")))
	}
	m, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), s.name(), metav1.GetOptions{})
	must(t, err)
	if _, there := m.Data[entry(5, "", "").Key()]; there || len(m.Data) != history.Most {
		t.Errorf("%d keys", len(m.Data))
	}
}

// What a newer version wrote, or somebody by hand, is neither read nor lost.
func TestKeysThatCannotBeReadAreLeftAlone(t *testing.T) {
	client := fake.NewClientset()
	s := storeOn(client)
	must(t, s.Put(t.Context(), entry(1, "a", "anna")))
	patch := `{"data":{"notes":"do not touch","attempt-9.v9-v10":"{"}}`
	_, err := client.CoreV1().ConfigMaps("default").Patch(t.Context(), s.name(), "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
	must(t, err)
	must(t, s.Put(t.Context(), entry(2, "a", "anna")))
	m, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), s.name(), metav1.GetOptions{})
	must(t, err)
	if len(m.Data) != 4 || m.Data["notes"] != "do not touch" {
		t.Errorf("got %v", m.Data)
	}
	if got, err := s.Load(t.Context()); err != nil || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Somebody else writes between every read and the first writes after it: both stay.
func TestWriteOfAnotherInBetweenStays(t *testing.T) {
	client := fake.NewClientset()
	s := storeOn(client)
	must(t, s.Put(t.Context(), entry(1, "a", "anna")))
	meddle := true
	client.PrependReactor("patch", "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if !meddle {
			return false, nil, nil
		}
		meddle = false
		other, err := encode([]history.Entry{entry(2, "c", "cron")})
		must(t, err)
		found, err := client.Tracker().Get(configMaps.WithVersion("v1"), "default", s.name())
		must(t, err)
		maps.Copy(found.(*corev1.ConfigMap).Data, other) //nolint:errcheck // it is one
		must(t, client.Tracker().Update(configMaps.WithVersion("v1"), found, "default"))
		return true, nil, apierrors.NewConflict(configMaps, s.name(), nil)
	})
	must(t, s.Put(t.Context(), entry(3, "a", "anna")))
	got, err := s.Load(t.Context())
	must(t, err)
	if len(got) != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestMissingPermissionIsNamedWithTheRole(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("*", "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(configMaps, "x", nil)
	})
	err := storeOn(client).Put(t.Context(), entry(1, "a", "anna"))
	if err == nil || !strings.Contains(err.Error(), "configmap default/postgresql-credentials-rotate-history") || !strings.Contains(rotation.Hint(err), "rbac") {
		t.Errorf("got %v, hint %q", err, rotation.Hint(err))
	}
}

func event(at int, step string, state rotation.Phase) rotation.Event {
	return rotation.Event{Started: step != "begin" || state == rotation.Done, Time: noon.Add(time.Duration(at) * time.Second), Target: "postgres", From: 1, To: 2, Attempt: 1, Step: step, State: state}
}

// A run that is killed has told what it had done: nothing is closed here before it is read.
func TestKeeperWritesWhileTheRunGoesOn(t *testing.T) {
	client := fake.NewClientset()
	written := make(chan string, 20)
	for _, verb := range []string{"create", "patch"} {
		client.PrependReactor(verb, "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
			text, err := json.Marshal(a)
			must(t, err)
			select {
			case written <- string(text):
			default:
			}
			return false, nil, nil
		})
	}
	k := Keep(storeOn(client), "anna", false, func() time.Time { return noon }, func(err error) { t.Error(err) })
	k.Emit(event(0, "begin", rotation.ToDo))
	k.Agreed(rotation.Question{Step: "begin", Kind: "proceed"})
	k.Emit(event(1, "begin", rotation.Done))
	k.Emit(event(2, "stage", rotation.Done))
	select {
	case text := <-written:
		if !strings.Contains(text, "anna") {
			t.Errorf("got %s", text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was written")
	}
	k.Close(t.Context(), rotation.UnderWay, nil)
	got, err := storeOn(client).Load(t.Context())
	must(t, err)
	if len(got) != 1 || got[0].Runs[0].End != history.EndLeft || len(got[0].Runs[0].Notes) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestKeeperSaysOnceWhatKeepsItFromWriting(t *testing.T) {
	client := fake.NewClientset()
	refused := make(chan struct{}, 20)
	client.PrependReactor("*", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		refused <- struct{}{}
		return true, nil, apierrors.NewForbidden(configMaps, "x", nil)
	})
	var said []error
	k := Keep(storeOn(client), "anna", false, time.Now, func(err error) { said = append(said, err) })
	k.Emit(event(0, "begin", rotation.ToDo))
	k.Emit(event(1, "begin", rotation.Done))
	select {
	case <-refused:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was tried")
	}
	k.Emit(event(2, "stage", rotation.Done))
	k.Close(t.Context(), rotation.Finished, nil) // which tries again, and after which nobody else does
	if len(refused) == 0 || len(said) != 1 {
		t.Errorf("tried %d times more, said %v", len(refused), said)
	}
}

func TestKeeperOfNothingWritesNothing(t *testing.T) {
	client := fake.NewClientset()
	k := Keep(storeOn(client), "anna", false, time.Now, func(err error) { t.Error(err) })
	k.Emit(event(0, "begin", rotation.Failed))
	k.Close(t.Context(), "", fmt.Errorf("refused"))
	if got := client.Actions(); len(got) > 0 {
		t.Errorf("sent %v", got)
	}
}
