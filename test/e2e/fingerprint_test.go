package e2e

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fingerprint is all that a rotation may change, in a form that shows any change: the revision of every object in the
// namespace that is not written by the cluster itself, and the database's roles with their stored passwords' hash.
func (w *world) fingerprint() map[string]string {
	w.Helper()
	print := map[string]string{}
	secrets, err := w.kube.CoreV1().Secrets(w.ns).List(w.ctx, metav1.ListOptions{})
	w.must("listing secrets", err)
	for _, s := range secrets.Items {
		print["secret/"+s.Name] = s.ResourceVersion
	}
	deployments, err := w.kube.AppsV1().Deployments(w.ns).List(w.ctx, metav1.ListOptions{})
	w.must("listing deployments", err)
	for _, d := range deployments.Items {
		print["deployment/"+d.Name] = fmt.Sprint(d.Generation)
	}
	sets, err := w.kube.AppsV1().StatefulSets(w.ns).List(w.ctx, metav1.ListOptions{})
	w.must("listing statefulsets", err)
	for _, s := range sets.Items {
		print["statefulset/"+s.Name] = fmt.Sprint(s.Generation)
	}
	for _, p := range w.pods() {
		print["pod/"+p.Name] = string(p.UID)
	}
	print["roles"] = w.roles()
	return print
}

// roles are the database's roles with all that can change about them.
func (w *world) roles() string {
	w.Helper()
	conn := w.admin("postgres")
	defer conn.Close(w.ctx)
	rows, err := conn.Query(w.ctx, `
		SELECT concat_ws(' ', rolname, rolcanlogin, md5(rolpassword), rolconnlimit, rolvaliduntil,
			(SELECT string_agg(roleid::regrole::text, ',') FROM pg_auth_members WHERE member = a.oid),
			(SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting WHERE setrole = a.oid))
		FROM pg_authid a ORDER BY rolname`)
	w.must("listing roles", err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	w.must("listing roles", err)
	return strings.Join(lines, "\n")
}

// unchanged wants everything to be as it was.
func (w *world) unchanged(before map[string]string) {
	w.Helper()
	if diff := cmp.Diff(before, w.fingerprint()); diff != "" {
		w.Errorf("something changed (-before +after):\n%s", diff)
	}
}
