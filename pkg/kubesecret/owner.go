package kubesecret

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Owner is somebody else who writes the rotated keys of a Secret, and would write them back.
type Owner struct {
	Name string // `Helm release "backend"`, "ExternalSecret postgres"
	Sign string // where that was seen: `field manager "helm" of key password`
	Hint string // what to do instead
}

// ownerOf is who else writes the given keys of app; nil where nobody does.
//
// A controller's owner reference and the marks of those that keep a whole Secret settle it. For all others a mark
// says only that the object came from them: whether a rotated key did, the API server's managedFields say, or the
// manifest that was applied last, for those who apply as kubectl does.
func ownerOf(app *corev1.Secret, keys []string) *Owner {
	if ref := metav1.GetControllerOf(app); ref != nil {
		return &Owner{fmt.Sprintf("%s %s", ref.Kind, ref.Name), "ownerReferences", hintFor(ref.Kind)}
	}
	managers, applied := managersOf(app, keys), appliedKeys(app, keys)
	for _, c := range controllers {
		mark := c.mark(app)
		switch {
		case mark != "" && c.whole:
			return &Owner{c.title(app), mark, c.hint}
		case mark != "" && len(applied) > 0:
			return &Owner{c.title(app), fmt.Sprintf("%s, and key %s in the manifest applied last", mark, applied[0]), c.hint}
		}
		for _, manager := range slices.Sorted(maps.Keys(managers)) {
			if matches(c.managers, manager) {
				return &Owner{c.title(app), fmt.Sprintf("field manager %q of key %s", manager, managers[manager][0]), c.hint}
			}
		}
	}
	return nil
}

// hintFor is what to do about a controller that is known only by the kind of its objects.
func hintFor(kind string) string {
	switch kind {
	case "ExternalSecret":
		return hintProvider
	case "SealedSecret":
		return "seal a new value, or rotate a Secret that is not sealed"
	case "Certificate":
		return hintIssuer
	}
	return "rotate it where it is made: what makes it would write the old value back"
}

// strangers are field managers of the given keys that are neither known controllers nor people.
func strangers(app *corev1.Secret, keys []string) []string {
	managers := managersOf(app, keys)
	maps.DeleteFunc(managers, func(name string, _ []string) bool { return matches(people, name) })
	return slices.Sorted(maps.Keys(managers))
}

// trackers are the known controllers that say the object is theirs.
func trackers(app *corev1.Secret) (names []string) {
	for _, c := range controllers {
		if mark := c.mark(app); mark != "" {
			names = append(names, fmt.Sprintf("%s (%s)", c.title(app), mark))
		}
	}
	return names
}

// managersOf are the field managers that own one of keys, each with those.
func managersOf(app *corev1.Secret, keys []string) map[string][]string {
	managers := map[string][]string{}
	for _, entry := range app.ManagedFields {
		var fields struct {
			Data map[string]json.RawMessage `json:"f:data"`
		}
		if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		for _, key := range keys {
			if _, ok := fields.Data["f:"+key]; ok {
				managers[entry.Manager] = append(managers[entry.Manager], key)
			}
		}
	}
	return managers
}

// appliedKeys are those of keys that stand in the manifest that was applied last, as kubectl and others leave it in
// an annotation.
func appliedKeys(app *corev1.Secret, keys []string) (found []string) {
	var manifest struct {
		Data       map[string]json.RawMessage `json:"data"`
		StringData map[string]json.RawMessage `json:"stringData"`
	}
	if json.Unmarshal([]byte(app.Annotations[corev1.LastAppliedConfigAnnotation]), &manifest) != nil {
		return nil
	}
	for _, key := range keys {
		_, encoded := manifest.Data[key]
		_, plain := manifest.StringData[key]
		if encoded || plain {
			found = append(found, key)
		}
	}
	return found
}
