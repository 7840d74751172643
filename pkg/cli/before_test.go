package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/notify"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// openingIn is a target in namespace shop, on a cluster that holds these objects.
func openingIn(t config.Target, objects ...runtime.Object) opening {
	return opening{clients: &kube.Clients{Kube: fake.NewClientset(objects...), Context: "prod"}, target: t, namespace: "shop"}
}

func TestABackupHasToBeYoungEnough(t *testing.T) {
	job := func(name string, ago time.Duration) *batchv1.CronJob {
		j := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		if ago > 0 {
			at := metav1.NewTime(time.Now().Add(-ago))
			j.Status.LastSuccessfulTime = &at
		}
		return j
	}
	in := openingIn(config.Target{}, job("nightly", 3*time.Hour), job("weekly", 50*time.Hour), job("new", 0))
	for name, want := range map[string]struct {
		phase rotation.Phase
		note  string
	}{
		"nightly": {rotation.Done, "cronjob/nightly, 3h ago"},
		"weekly":  {rotation.ToDo, "that of cronjob/weekly is 2d2h old, and may be 1d"},
		"new":     {rotation.ToDo, "cronjob/new in namespace shop has none yet"},
		"none":    {rotation.ToDo, "could not be seen"},
		"":        {rotation.ToDo, "is there a backup to go back to?"},
	} {
		got := backup(context.Background(), in, config.Backup{CronJob: name, MaxAge: config.Duration{Duration: 24 * time.Hour}})
		if got.Phase != want.phase || !strings.Contains(got.Note, want.note) || got.Consent != rotation.ConsentBackup {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
}

func TestTheNewestSnapshotThatIsReadyCounts(t *testing.T) {
	now := time.Now().UTC()
	one := func(name, claim string, ready bool, ago time.Duration) string {
		return fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"source":{"persistentVolumeClaimName":%q}},"status":{"readyToUse":%v,"creationTime":%q}}`,
			name, claim, ready, now.Add(-ago).Format(time.RFC3339))
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/snapshot.storage.k8s.io/v1/namespaces/shop/volumesnapshots" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"items":[%s,%s,%s,%s]}`, one("old", "data", true, 9*time.Hour), one("new", "data", true, 2*time.Hour),
			one("being-made", "data", false, time.Minute), one("another", "logs", true, time.Minute))
	}))
	t.Cleanup(s.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	in := opening{clients: &kube.Clients{Kube: client}, namespace: "shop"}
	for _, c := range []struct {
		b     config.Backup
		phase rotation.Phase
		note  string
	}{
		{config.Backup{SnapshotsOf: "data"}, rotation.Done, "volumesnapshot/new, 2h ago"},
		{config.Backup{SnapshotsOf: "none"}, rotation.ToDo, "persistentvolumeclaim/none in namespace shop has none yet"},
		{config.Backup{SnapshotsOf: "data", Namespace: "elsewhere"}, rotation.ToDo, "could not be seen: listing volumesnapshots in namespace elsewhere"},
	} {
		c.b.MaxAge.Duration = 24 * time.Hour
		if got := backup(context.Background(), in, c.b); got.Phase != c.phase || !strings.Contains(got.Note, c.note) {
			t.Errorf("%+v: %+v", c.b, got)
		}
	}
}

func TestOutsideOfTheWindowItSaysWhenItOpens(t *testing.T) {
	windows := []string{"Sat 02:00-06:00 Europe/Berlin", "Wed 12:00-13:00"}
	for at, want := range map[string]string{
		"2026-05-02T01:00:00Z": "in Sat 02:00-06:00 Europe/Berlin",
		"2026-05-06T12:30:00Z": "in Wed 12:00-13:00",
		"2026-05-02T05:00:00Z": "it is outside of Sat 02:00-06:00 Europe/Berlin and Wed 12:00-13:00, which opens next at Wed 2026-05-06 12:00 UTC",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := window(windows, now)
		if err != nil || got.Note != want || (got.Phase == rotation.Done) != strings.HasPrefix(want, "in ") {
			t.Errorf("%s: %+v, %v; want %q", at, got, err, want)
		}
	}
}

// told is a run of these events, and what others were told of it.
func told(t *testing.T, events []rotation.Event, r rotation.Result, err error) (all []notify.Message) {
	t.Helper()
	heard := make(chan notify.Message, 10)
	o := &opened{
		Rotation: rotation.Rotation{Target: "orders", Setup: rotation.Setup{Environment: rotation.Environment{Now: time.Now}}},
		clients:  &kube.Clients{Context: "prod", Namespace: "shop"}, namespace: "shop", who: "alice",
		tellers: []teller{{"test", config.OutputNotify, func(_ context.Context, m notify.Message) error {
			heard <- m
			return nil
		}}},
		say: func(format string, args ...any) { t.Logf(format, args...) },
	}
	g := &global{}
	front, ended := g.telling(context.Background(), o, frontend{emit: func(rotation.Event) {}})
	for _, e := range events {
		e.From, e.To, e.Attempt, e.Started = 1, 2, 1, e.Step != "begin" || e.State == rotation.Done
		front.emit(e)
	}
	ended(r, err)
	close(heard)
	for m := range heard {
		all = append(all, m)
	}
	return all
}

func TestOthersAreToldOfBeginningAndEnd(t *testing.T) {
	begin := []rotation.Event{{Step: "begin", State: rotation.ToDo}, {Step: "begin", State: rotation.Applying}, {Step: "begin", State: rotation.Done}}
	taken := &rotation.AbortedError{Cause: &rotation.FailedError{Step: "verify", State: rotation.State{Note: "0 of 1 gates passed"}}}
	stuck := &rotation.AbortedError{Cause: taken.Cause, Back: context.DeadlineExceeded}
	back := rotation.Intent{Back: true}
	for _, c := range []struct {
		name   string
		events []rotation.Event
		result rotation.Result
		err    error
		want   string
	}{
		{"done", begin, rotation.Result{Outcome: rotation.Finished}, nil, "begun finished"},
		{"it waits", begin, rotation.Result{Outcome: rotation.UnderWay}, nil, "begun"},
		{"gone on with", []rotation.Event{{Step: "begin", State: rotation.Done}, {Step: "revoke", State: rotation.Applying}}, rotation.Result{Outcome: rotation.Finished}, nil, "finished"},
		{"done already", []rotation.Event{{Step: "begin", State: rotation.Done}, {Step: "retire", State: rotation.Done}}, rotation.Result{Outcome: rotation.Finished}, nil, ""},
		{"refused", begin[:1], rotation.Result{}, rotation.Refuse(context.Canceled), ""},
		{"taken back by itself", begin, rotation.Result{Intent: back}, taken, "begun aborted"},
		{"that failed too", begin, rotation.Result{Intent: back}, stuck, "begun failed"},
		{"an abort", begin, rotation.Result{Intent: back, Outcome: rotation.Finished}, nil, "begun aborted"},
		{"left for an answer", begin, rotation.Result{}, rotation.ErrConsent, "begun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := map[notify.What]notify.Message{}
			for _, m := range told(t, c.events, c.result, c.err) {
				heard[m.What] = m
			}
			for what := range strings.FieldsSeq(c.want) {
				if m, ok := heard[notify.What(what)]; !ok || m.By != "alice" || m.To != 2 {
					t.Errorf("%s was not told: %v", what, heard)
				}
			}
			if len(heard) != len(strings.Fields(c.want)) {
				t.Errorf("told %v, want %q", heard, c.want)
			}
			if m := heard[notify.Aborted]; c.err != nil && m.What != "" && m.Note != "verify failed: 0 of 1 gates passed" {
				t.Errorf("the note is %q", m.Note)
			}
		})
	}
}

// That it is about a leak is told with everything that is.
func TestALeakIsToldAsOne(t *testing.T) {
	for _, m := range told(t, []rotation.Event{
		{Step: "begin", State: rotation.ToDo, Compromised: true}, {Step: "begin", State: rotation.Applying, Compromised: true},
		{Step: "begin", State: rotation.Done, Compromised: true},
	}, rotation.Result{Outcome: rotation.Finished}, nil) {
		if !m.Compromised {
			t.Errorf("%s is told without it", m.What)
		}
	}
}

// Whoever cannot be told stops nothing, and is named.
func TestWhoCannotBeToldIsSaid(t *testing.T) {
	target := config.Target{Secret: config.Secret{Name: "orders-db"}, Notify: []config.Notify{
		{Form: config.FormSlack, Secret: config.KeyRef{Name: "webhooks", Key: "slack"}}, {Form: config.FormJSON, Secret: config.KeyRef{Name: "webhooks", Key: "json"}},
	}}
	in := openingIn(target, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "webhooks"}, Data: map[string][]byte{"json": []byte("http://127.0.0.1:1/s3cret\n")}})
	var said []string
	o := &opened{clients: in.clients, say: func(_ string, args ...any) { said = append(said, args[0].(string)) }} //nolint:errcheck // notes are text
	item := o.notified(context.Background(), in)
	if item.Phase != rotation.Done || item.Note != "json; slack cannot be told: secret shop/webhooks has no key slack" || len(said) != 1 {
		t.Errorf("%+v; said %q", item, said)
	}
	for _, one := range tellers(in)[1:] {
		if err := one.tell(context.Background(), notify.Message{What: notify.Begun}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", one.name, err)
		}
	}
}
