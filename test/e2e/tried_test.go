package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// One more pod of the application tries the new login before anybody else is handed it, and leaves nothing behind.
func TestOnePodTriesTheNewLoginFirst(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loaded()
	r := w.rotate(4, "postgres", "--yes", "--soak=1s", "--canary")
	w.says(r, "create pods", "delete pods", "list services", "nothing was changed")
	w.grantWith("--canary")
	w.until("a pod may be made", func() bool {
		r = w.as("restricted", "postgres", "--dry-run", "--canary")
		return r.code == 0
	})
	if want := "start one copy of a pod of deployment/backend"; !strings.Contains(r.stdout, want) {
		t.Errorf("no word of %q: %s", want, r)
	}

	serving := len(w.pods())
	r = w.rotate(3, "postgres", "--yes", "--canary", "--until=canary")
	w.says(r, "a copy of deployment/backend: ready, with", "sessions of backend_v2")
	if got := w.login().user; got != "backend" || len(w.pods()) != serving {
		t.Errorf("the application's Secret says %s, and %d pods serve, want backend and %d", got, len(w.pods()), serving)
	}
	if tried := w.canaries(); len(tried) != 1 {
		t.Fatalf("the canaries are %+v, want one", tried)
	}
	w.rotate(0, "postgres", "--yes", "--soak=1s") // whoever goes on need not know of it
	w.noCanary()
	w.standby("backend_v2")
}

// A rule that only the application's own way meets is found by the canary: the rotation is taken back before anybody was
// handed the new login.
func TestALoginThatOnePodCannotUseIsHandedToNobody(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	before, secret := w.login(), w.secret("postgresql-credentials")
	w.grantWith("--canary")
	w.until("a pod may be made", func() bool { return w.as("restricted", "postgres", "--dry-run", "--canary").code == 0 })
	w.rotate(3, "postgres", "--yes", "--until=install")
	w.rejectFromPods("backend_v2")
	r := w.rotate(1, "postgres", "--yes", "--soak=1s", "--canary")
	w.says(r, "canary failed", "a copy of deployment/backend", "login refused", "taken back")
	if w.login() != before {
		t.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
	}
	for _, f := range w.secret("postgresql-credentials").ManagedFields {
		if f.Manager == "credential-rotation" && strings.Contains(f.FieldsV1.GetRawString(), `"f:password"`) {
			t.Errorf("the password was written in between: %s", f.FieldsV1.GetRawString())
		}
	}
	if secret.UID != w.secret("postgresql-credentials").UID {
		t.Error("the Secret was made anew")
	}
	w.noCanary()
	w.standby("backend")
}

func (w *world) canaries() []corev1.Pod {
	w.Helper()
	list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "canary.kubectl-rotate/postgresql-credentials"})
	w.must("listing canaries", err)
	return list.Items
}

// noCanary wants nothing to be left of one. The garbage collector takes a moment.
func (w *world) noCanary() {
	w.Helper()
	if left := w.canaries(); len(left) > 0 {
		w.Errorf("%d canaries are left", len(left))
	}
	end := time.Now().Add(time.Minute)
	w.until("the copies of the Secret are gone", func() bool {
		list, err := w.kube.CoreV1().Secrets(w.ns).List(w.ctx, metav1.ListOptions{})
		w.must("listing secrets", err)
		for _, s := range list.Items {
			if strings.Contains(s.Name, "-canary-") {
				return time.Now().After(end)
			}
		}
		return true
	})
}
