package podrefs

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// MadeBy says whether a controller makes a pod that names it as its own. Whoever may make pods may
// name any controller. So the controller has to select the pod, and the name of a StatefulSet's pod
// follows from that of the set. A nil selector is not known, and selects every pod.
func MadeBy(p *corev1.Pod, kind, name string, selector labels.Selector) bool {
	if strings.EqualFold(kind, "StatefulSet") {
		if _, ok := Ordinal(p.Name, name); !ok {
			return false
		}
	}
	return selector == nil || selector.Matches(labels.Set(p.Labels))
}

// Ordinal is the number of a pod in a StatefulSet: 2 of db-2 in db. ok is false where it has no such name.
func Ordinal(pod, set string) (n int, ok bool) {
	text, ok := strings.CutPrefix(pod, set+"-")
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0 && strconv.Itoa(n) == text
}
