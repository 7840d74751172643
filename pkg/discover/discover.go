// Package discover finds what there is to rotate in a namespace: servers by their pods, Secrets with a
// login or with signing keys, and who reads them.
package discover

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// Found is what there is in a namespace.
type Found struct {
	namespace string
	kinds     []Kind
	workloads []workload.Inventory
	secrets   map[string]map[string][]byte // those that workloads read, with what they hold
	unread    []string                     // those of them that may not be read
}

// String counts what was seen.
func (d Found) String() string {
	pods := 0
	for _, w := range d.workloads {
		pods += len(w.Pods)
	}
	text := fmt.Sprintf("%d pods, %d workloads, %d Secrets that they read", pods, len(d.workloads), len(d.secrets))
	if len(d.unread) > 0 {
		text += fmt.Sprintf(", and %d that may not be read (%s)", len(d.unread), strings.Join(d.unread, ", "))
	}
	return text
}

// In reads what there is in a namespace: pods, workloads, and of the Secrets only those that workloads read.
func In(ctx context.Context, kube kubernetes.Interface, namespace string, kinds []Kind) (d Found, err error) {
	d.namespace, d.kinds = namespace, kinds
	if d.workloads, err = (&workload.Consumers{Client: kube, Namespace: namespace}).Inventory(ctx); err != nil {
		return d, err
	}
	d.secrets = map[string]map[string][]byte{}
	for _, name := range d.secretsRead() {
		found, err := kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsForbidden(err):
			d.unread = append(d.unread, name)
		case err == nil:
			d.secrets[name] = found.Data
		case !apierrors.IsNotFound(err):
			return d, err
		}
	}
	return d, nil
}

// specs are those of a workload's pods.
func specs(w workload.Inventory) (all []*corev1.PodSpec) {
	if w.Template != nil {
		all = append(all, w.Template)
	}
	for _, p := range w.Pods {
		all = append(all, &p.Spec)
	}
	return all
}

// secretsRead are the names of the Secrets that workloads read, sorted.
func (d Found) secretsRead() []string {
	names := map[string]bool{}
	for _, w := range d.workloads {
		for _, spec := range specs(w) {
			for _, name := range podrefs.Secrets(spec) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// server is a workload that runs one, with the first of its pods.
type server struct{ workload, pod string }

// servers are those of that kind, by their pods.
func (d Found) servers(k Kind) (found []server) {
	for _, w := range d.workloads {
		first := ""
		for _, p := range w.Pods {
			if k.serves(p) && (first == "" || p.Name < first) {
				first = p.Name
			}
		}
		if first != "" {
			found = append(found, server{w.Name, first})
		}
	}
	slices.SortFunc(found, func(a, b server) int { return cmp.Compare(a.pod, b.pod) })
	return found
}

// readers are the workloads that read a Secret, but for the servers themselves.
func (d Found) readers(secret string, servers []server) (names []string) {
	for _, w := range d.workloads {
		own := slices.ContainsFunc(servers, func(s server) bool { return s.workload == w.Name })
		if !own && slices.ContainsFunc(specs(w), func(spec *corev1.PodSpec) bool { return podrefs.Refers(spec, secret) }) {
			names = append(names, w.Name)
		}
	}
	return names
}
