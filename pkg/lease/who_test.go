package lease

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Who only looks tells who is at a target now, and at what: not who was, and did not come to give the Lease back.
func TestWho(t *testing.T) {
	client := fake.NewClientset()
	now := noon
	l := &Lease{
		Leases: client.CoordinationV1(), Namespace: "shop", Secret: "db", Target: "postgres", Doing: Aborting,
		Me: Holder{User: "alice", Host: "laptop", PID: os.Getpid(), Machine: "laptop"}, Now: func() time.Time { return now }, period: time.Hour,
	}
	looker := *l
	looker.Me, looker.Doing = Holder{User: "bob", Host: "desk", PID: 7, Machine: "desk"}, ""
	who := func() *Run {
		t.Helper()
		r, err := looker.Who(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := who(); r != nil {
		t.Errorf("%+v has a Lease that was never made", r)
	}
	held, err := l.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := who(); r == nil || r.Holder != l.Me || r.Doing != Aborting || !r.Since.Equal(noon) || !r.Heard.Equal(noon) {
		t.Errorf("%+v, want alice, taking it back since noon", r)
	}
	now = noon.Add(Duration)
	if r := who(); r != nil {
		t.Errorf("%+v was last heard of %v ago", r, Duration)
	}
	now = noon
	held.stop()
	<-held.over
	if _, err := client.CoordinationV1().Leases("shop").Update(t.Context(), given(held.written), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := who(); r != nil {
		t.Errorf("%+v has given it back", r)
	}
	l.Me.PID, looker.Me.Machine = 1<<30, "laptop" // no process has that number
	ended := held.written.DeepCopy()
	claim{holder: l.Me, since: noon, heard: noon, length: Duration}.write(ended)
	if _, err := client.CoordinationV1().Leases("shop").Update(t.Context(), ended, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := who(); r != nil {
		t.Errorf("%+v is a process of this machine that has ended", r)
	}
	client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no answer")
	})
	if r, err := looker.Who(t.Context()); err == nil || r != nil || !strings.Contains(err.Error(), "reading lease shop/db-rotate") {
		t.Errorf("%+v, %v: want it to be unknown", r, err)
	}
}
