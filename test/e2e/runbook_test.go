package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A platform on which the runbook's quarterly script has run three times: backend owns everything, the application uses
// backend_20260901 by grants, and all four can log in. A rotation under load loses no request: the owner is found, tables that old and
// new pods make meanwhile serve both, the login in use is dropped, and those that nobody uses are named and left alone.
func TestRotateAfterTheRunbooksScript(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	for _, day := range []string{"20260301", "20260601", "20260901"} {
		w.script("backend_" + day)
	}
	w.must("restarting the backend", w.platform.Restart(w.ctx))
	old := w.login()
	w.loaded()

	before := w.fingerprint()
	plan := w.rotate(0, "postgres", "--dry-run")
	w.unchanged(before)
	for _, want := range []string{`GRANT "backend" TO "backend_20260901"`, "backend_v2", `-- in database "Audit-Log"`, `DROP ROLE "backend_20260901"`} {
		if !strings.Contains(plan.stdout, want) {
			t.Errorf("the plan does not say %s: %s", want, plan)
		}
	}
	begun := w.rotate(3, "postgres", "--yes", "--until=activate")
	w.namesLeftovers(begun.stderr)
	earlier := w.pods()
	fresh := w.replaced(earlier[0])
	w.migrates(earlier[1], "made_by_old")
	w.migrates(fresh, "made_by_new")
	w.uses(earlier[1], "made_by_new")
	w.uses(fresh, "made_by_old")
	w.rotate(0, "postgres", "--yes", "--soak=1s")
	for _, p := range w.pods() {
		w.migrates(p, "made_by_old")
		w.migrates(p, "made_by_new")
	}
	if w.accepted(old) {
		t.Errorf("%s still gets in", old.user)
	}
	left := []string{"backend", "backend_20260301", "backend_20260601", "backend_v2"}
	if got := w.logins(); !slices.Equal(got, left) {
		t.Errorf("logins: %v, want %v", got, left)
	}
	w.namesLeftovers(w.rotate(0, "status", "postgres").stdout)
	w.rotate(0, "postgres", "--yes", "--soak=1s", "--again")
	if now := w.login(); now.user != "backend_v3" {
		t.Errorf("the next login is %s", now.user)
	}
}

// What the script left can be aborted from too: the login in use serves as before, as a member of its owner.
func TestAbortAfterTheRunbooksScript(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.script("backend_20260901")
	w.must("restarting the backend", w.platform.Restart(w.ctx))
	old := w.login()
	w.loaded()
	w.waits([]string{"soak        waiting"}, "postgres", "--yes", "--soak=1h")
	w.rotate(0, "abort", "postgres", "--yes", "--soak=0")
	if now := w.login(); now != old {
		t.Errorf("the login is %s, want %s with its password", now.user, old.user)
	}
	if !w.accepted(old) {
		t.Errorf("%s is refused", old.user)
	}
	w.rotate(0, "postgres", "--yes", "--soak=0")
	if now := w.login(); now.user != "backend_v3" || w.accepted(old) {
		t.Errorf("the login is %s, and the old one is accepted: %v", now.user, w.accepted(old))
	}
}

// namesLeftovers wants each login that nobody uses any more to be named, with what ends it.
func (w *world) namesLeftovers(text string) {
	w.Helper()
	text = strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		`ALTER ROLE "backend" NOLOGIN PASSWORD NULL`, `ALTER ROLE "backend_20260301" NOLOGIN`, `ALTER ROLE "backend_20260601" NOLOGIN`,
	} {
		if !strings.Contains(text, want) {
			w.Errorf("no word of %s: %s", want, text)
		}
	}
}

// script is what the runbook's script does, but for the restart: a password of `openssl rand -base64 32`, a login with copies of some
// grants, and the Secret. On this platform the second database has to be granted too, and the connection string changed,
// or the application would not work afterwards.
func (w *world) script(user string) {
	w.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	password := "+/" + base64.StdEncoding.EncodeToString(key)
	w.sql("demo-platform", fmt.Sprintf("CREATE USER %s WITH PASSWORD '%s'", user, password))
	for _, database := range []string{"demo-platform", "Audit-Log"} {
		w.sql(database, fmt.Sprintf(`
			GRANT ALL PRIVILEGES ON DATABASE "%[1]s" TO %[2]s;
			GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public TO %[2]s;
			GRANT ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA public TO %[2]s;
			GRANT CREATE ON SCHEMA public TO %[2]s`, database, user))
	}
	s := w.secret("postgresql-credentials")
	dsn, err := url.Parse(string(s.Data["DATABASE_URL"]))
	w.must("reading DATABASE_URL", err)
	dsn.User = url.UserPassword(user, password)
	s.Data = map[string][]byte{"username": []byte(user), "password": []byte(password), "DATABASE_URL": []byte(dsn.String())}
	_, err = w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{})
	w.must("writing the Secret", err)
}

// sql runs statements in one of the platform's databases, as its administrator.
func (w *world) sql(database, statements string) {
	w.Helper()
	password, err := w.platform.SecretValue(w.ctx, "postgresql-admin", "postgres-password")
	w.must("reading the administrator's password", err)
	conn, err := w.connect(login{"postgres", password}, database)
	w.must("connecting as the administrator", err)
	defer conn.Close(w.ctx)
	_, err = conn.Exec(w.ctx, statements, pgx.QueryExecModeSimpleProtocol)
	w.must(statements, err)
}

// migrates and uses have a pod make or alter a table, and use one.
func (w *world) migrates(p corev1.Pod, table string) { w.Helper(); w.post(p, "migrate", table) }
func (w *world) uses(p corev1.Pod, table string)     { w.Helper(); w.post(p, "table", table) }

func (w *world) post(p corev1.Pod, what, table string) {
	w.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	r, err := client.Post("http://"+p.Status.PodIP+":8080/"+what+"?table="+table, "", nil)
	w.must("asking pod "+p.Name, err)
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		w.Errorf("%s %s on pod %s: %s", what, table, p.Name, r.Status)
	}
}
