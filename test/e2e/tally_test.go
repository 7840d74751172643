package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	gates "github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

// The answer to a leak tells how many requests were refused, as a real Prometheus has counted them, and others are told so too. One that
// is away holds nothing up.
func TestRequestsThatAnAnswerToALeakRefused(t *testing.T) {
	long(t)
	w, _ := signing(t, time.Minute)
	run, err := load.Start(w.ctx, load.Config{URL: w.platform.URL, Rate: 50})
	w.must("starting the load", err)
	t.Cleanup(func() { run.Stop() })
	heard := w.receives("json")
	monitoring := gates.Prometheus{URL: w.prometheus(w.metrics(run)), Client: http.DefaultClient}
	w.until("Prometheus has counted for ten seconds", func() bool {
		_, err := monitoring.Total(w.ctx, "app_errors_total offset {since}", 10*time.Second)
		return err == nil
	})
	for _, c := range []struct {
		service string
		known   bool
	}{{"prometheus", true}, {"elsewhere", false}} {
		config := w.targetsFile(strings.Replace(probed, "  jwt:\n", fmt.Sprintf(`  notify: [{form: json, secret: {name: webhooks, key: json}}]
  refused: {query: 'sum(app_errors_total) - sum(app_errors_total offset {since})', service: %s, delay: 3s}
  jwt:
`, c.service), 1))
		w.grantWith("jwt", config)
		before := run.Snapshot().Failed
		r := w.start("restricted", "emergency-jwt", config, "--yes", "--again")
		if !r.comesTo(rotation.StepRetire, rotation.Waiting) {
			t.Fatalf("it ended before it could count: %s", r.ended())
		}
		least := run.Snapshot().Failed - before
		end := r.ended()
		most, note := run.Snapshot().Failed-before, r.events[len(r.events)-1].Note
		if end.code != 0 {
			t.Errorf("it failed: %s", end)
		}
		var n int
		_, text, _ := strings.Cut(note, "; ")
		switch _, err := fmt.Sscanf(text, "%d requests were refused from", &n); {
		case !c.known && !strings.Contains(note, "is not known: "):
			t.Errorf("it says %q, and nobody could be asked", note)
		case c.known && (err != nil || n < least || n > most || n == 0):
			t.Errorf("it says %q; refused were %d to %d", note, least, most)
		default:
			t.Logf("%s; refused were %d to %d", note, least, most)
		}
		if told := heard.last(); !strings.Contains(told, "had ended within") || !strings.Contains(told, text) {
			t.Errorf("others were told %q", told)
		}
	}
}
