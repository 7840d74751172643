package kubesecret

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// inspect refuses an object that can't be written, or in which somebody else would write keys back.
// The notes are what an operator should know before a rotation begins.
func inspect(kind string, app *corev1.Secret, keys []string) (notes []string, err error) {
	where := fmt.Sprintf("%s %s/%s", kind, app.Namespace, app.Name)
	if app.Immutable != nil && *app.Immutable {
		object := "Secret"
		if kind == "configmap" {
			object = "ConfigMap"
		}
		return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("%s is immutable", where),
			fmt.Sprintf("make a new %s without `immutable: true` under another name, have the workloads read that one, and name it in the target's config", object)))
	}
	if o := ownerOf(app, keys); o != nil {
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s is written by %s, which would take a rotated value back (seen: %s)", where, o.Name, o.Sign), o.Hint))
	}
	for _, name := range strangers(app, keys) {
		notes = append(notes, fmt.Sprintf("%s: %q wrote a rotated key; if it is a controller, it will write its own value back", where, name))
	}
	for _, name := range trackers(app) {
		notes = append(notes, fmt.Sprintf("%s comes from %s; the rotated keys do not, by the API server's record of who wrote them", where, name))
	}
	switch applied := appliedKeys(app, keys); {
	case len(applied) > 0 && kind == "configmap": // nothing in it is secret
		notes = append(notes, fmt.Sprintf("%s: the next `kubectl apply` of the manifest in its annotation %s writes the present value of %s back",
			where, corev1.LastAppliedConfigAnnotation, strings.Join(applied, ", ")))
	case len(applied) > 0:
		notes = append(notes, fmt.Sprintf("%s: annotation %s holds the present value of %s in readable form, and the next `kubectl apply` of that manifest writes it back; "+
			"`%s` takes it away", where, corev1.LastAppliedConfigAnnotation, strings.Join(applied, ", "),
			rotation.Command("kubectl", "annotate", "-n", app.Namespace, "secret", app.Name, corev1.LastAppliedConfigAnnotation+"-")))
	}
	return notes, nil
}
