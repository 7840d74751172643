package wiring

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
		got := backup(in, config.Backup{CronJob: name, MaxAge: config.Duration{Duration: 24 * time.Hour}}).Look(t.Context())
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
		if got := backup(in, c.b).Look(t.Context()); got.Phase != c.phase || !strings.Contains(got.Note, c.note) {
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

// Whoever cannot be told stops nothing, and is named.
func TestWhoCannotBeToldIsSaid(t *testing.T) {
	target := config.Target{Secret: config.Secret{Name: "orders-db"}, Notify: []config.Notify{
		{Form: config.FormSlack, Secret: config.KeyRef{Name: "webhooks", Key: "slack"}}, {Form: config.FormJSON, Secret: config.KeyRef{Name: "webhooks", Key: "json"}},
	}}
	in := openingIn(target, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "webhooks"}, Data: map[string][]byte{"json": []byte("http://127.0.0.1:1/s3cret\n")}})
	var said []string
	o := &Opened{Clients: in.clients, Say: func(_ string, args ...any) { said = append(said, args[0].(string)) }} //nolint:errcheck // notes are text
	item := o.notified(context.Background(), in)
	if item.Phase != rotation.Done || item.Note != "json; slack cannot be told: secret shop/webhooks has no key slack" || len(said) != 1 {
		t.Errorf("%+v; said %q", item, said)
	}
	for _, one := range tellers(in)[1:] {
		if err := one.Tell(context.Background(), notify.Message{What: notify.Begun}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", one.Name, err)
		}
	}
}
