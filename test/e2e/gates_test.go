package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

// gatedFields are gates of every kind: Prometheus both ways, and what is looked at before.
const gatedFields = `  before: {windows: ["00:00-24:00"]}
  notify: [{form: json, secret: {name: webhooks, key: json}}, {form: slack, secret: {name: webhooks, key: slack}}]
  gates:
    ready: {path: /health/ready}
    urls: [{name: front, url: "%[1]s/health/ready"}]
    prometheus:
    - {name: error-rate, query: 'sum(rate(app_errors_total[10s]))', max: 0.5, service: prometheus, hold: 12s, patience: 2s}
    - {name: traffic, query: 'sum(rate(app_requests_total[10s]))', min: 1, url: "%[2]s", hold: 0s}
`

// The new login works, every pod is ready, and requests fail all the same. A real Prometheus counts them: the rotation stops before
// anything is taken away, and takes itself back; traffic recovers. In the soak it is the same, and the old login comes back. Once
// nothing is wrong it goes through. Others are told each time.
func TestErrorRateThatRises(t *testing.T) {
	long(t)
	w := newWorld(t)
	run, err := load.Start(w.ctx, load.Config{URL: w.platform.URL, Rate: 50})
	w.must("starting the load", err)
	t.Cleanup(func() { run.Stop() })
	heard := w.receives("json", "slack")
	file := w.gated(fmt.Sprintf(gatedFields, w.platform.URL, w.prometheus(w.metrics(run))))
	before := w.login()

	w.haunt("backend_v2")
	r := w.rotate(1, "postgres", "--yes", "--soak=1s", "--config", file)
	w.says(r, "verify failed", "error-rate", "at most 0.5", "taken back", "window: in 00:00-24:00", "notify: json; slack", "permissions", "headroom")
	w.recovered(run, before)
	w.toldOf(heard, "begun", "back begun", "back aborted")
	if strings.Contains(r.stderr, "t0psecret") {
		t.Errorf("the webhook's address shows: %s", r)
	}

	soaking := w.start("restricted", "postgres", "--yes", "--soak=2m", "--config", file)
	if !soaking.comesTo(rotation.StepSoak, rotation.Waiting) {
		t.Fatalf("it ended before its soak: %s", soaking.ended())
	}
	w.haunt(w.login().user)
	if r := soaking.ended(); r.code != 1 || !strings.Contains(r.stderr, "soak failed") {
		t.Errorf("in the soak: %s", r)
	}
	w.recovered(run, before)
	w.toldOf(heard, "begun", "back begun", "back aborted")

	w.haunt("nobody")
	r = w.rotate(0, "postgres", "--yes", "--soak=1s", "--config", file)
	w.says(r, "5 of 5 gates passed", "pods ready at /health/ready", "front: "+w.platform.URL, "traffic: ")
	w.toldOf(heard, "begun", "finished")
	w.reasons("RotationBegun", "RotationAborted", "RotationFinished")
	for reason := range run.Snapshot().Failures {
		if !strings.Contains(reason, "database error P0001") {
			t.Errorf("requests failed for another reason than the one that was made: %q", reason)
		}
	}
}

// Somebody at a terminal is asked what to do about a gate that has failed, and goes on without it: that is on the record.
func TestGateSkippedOnTheScreen(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.receives("json", "slack")
	file := w.gated(`  before: {backup: {cronJob: nightly}, windows: ["00:00-24:00"]}
  gates: {urls: [{name: front, url: "http://127.0.0.1:1/", patience: 1s}]}
protected: ["restr*"]
`)
	s := w.terminal(100, 34)
	s.run("postgres", "--soak=1s", "--canary=false", "--config", file)
	s.shows("begin asks: backup", "cronjobs.batch \"nightly\" not found", "s skip it, recorded")
	s.press("s")
	s.shows("begin asks", "type restricted to agree")
	s.press("y")
	s.press("Enter") // that is not its name
	s.tmux("send-keys", "-t", s.name, "-l", "restricted")
	s.shows("to leave it: restricted_")
	s.press("Enter")
	s.shows("verify has failed", "front: no answer", "w wait a minute")
	s.press("s")
	s.shows("exit code 0", "front: skipped by restricted at")
	record := w.secret("postgresql-credentials").Annotations["kubectl-rotate/record"]
	for _, want := range []string{`"backup":{"by":"restricted"`, `"front":{"by":"restricted"`} {
		if !strings.Contains(record, want) {
			t.Errorf("no %s on the record: %s", want, record)
		}
	}
	w.standby("backend_v2")
}

// haunt has the database fail a third of what one login writes, and of no other.
func (w *world) haunt(user string) {
	w.Helper()
	conn := w.admin("demo-platform")
	defer conn.Close(w.ctx)
	for _, statement := range []string{
		fmt.Sprintf(`CREATE OR REPLACE FUNCTION public.haunted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF session_user = '%s' AND random() < 0.3 THEN RAISE EXCEPTION 'haunted'; END IF; RETURN NEW; END $$`, user),
		`CREATE OR REPLACE TRIGGER haunted BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION public.haunted()`,
	} {
		_, err := conn.Exec(w.ctx, statement)
		w.must("haunting "+user, err)
	}
}

// recovered wants everything as it was before, and five seconds in which all requests are served.
func (w *world) recovered(run *load.Run, before login) {
	w.Helper()
	if w.login() != before {
		w.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
	}
	w.standby(before.user)
	then := run.Snapshot()
	if then.Failed == 0 {
		w.Error("no request had failed: nothing was shown")
	}
	w.until("the application has served for five seconds more", func() bool { return run.Snapshot().Seconds > then.Seconds+5 })
	if now := run.Snapshot(); now.Failed > then.Failed || now.OK == then.OK {
		w.Errorf("traffic has not recovered: %d of %d failed since", now.Failed-then.Failed, now.Requests-then.Requests)
	}
}

// toldOf wants the webhook to have been told these, and no others.
func (w *world) toldOf(r *receiver, want ...string) {
	w.Helper()
	got := r.whats()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("the webhook was told %q, want %q", got, want)
	}
}

// reasons wants these among the events of the application's Secret.
func (w *world) reasons(wanted ...string) {
	w.Helper()
	list, err := w.kube.CoreV1().Events(w.ns).List(w.ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Secret,involvedObject.name=postgresql-credentials"})
	w.must("listing events", err)
	for _, want := range wanted {
		if !slices.ContainsFunc(list.Items, func(e corev1.Event) bool { return e.Reason == want && time.Since(e.LastTimestamp.Time) < time.Hour }) {
			w.Errorf("no event %s on the Secret", want)
		}
	}
}
