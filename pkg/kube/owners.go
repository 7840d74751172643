package kube

import (
	"context"
	"fmt"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

// Owners finds what makes pods. It reads each controller once, and a StatefulSet again where a pod
// does not fit its replicas. It may be used by several goroutines.
type Owners struct {
	client kubernetes.Interface
	mu     sync.Mutex
	read   map[claim]*maker
}

// claim is what a pod says of its controller, whole: a pod that names another kind with the same
// UID must not be taken for a pod of that controller.
type claim struct {
	namespace, version, kind, name string
	uid                            types.UID
}

func claimOf(namespace string, ref *metav1.OwnerReference) claim {
	return claim{namespace, ref.APIVersion, ref.Kind, ref.Name, ref.UID}
}

// maker is a controller, as far as it tells which pods it makes.
type maker struct {
	top  metav1.OwnerReference // itself, or the Deployment of a ReplicaSet
	owns func(*corev1.Pod) bool
}

// Owners has read nothing yet.
func (c *Clients) Owners() *Owners { return &Owners{client: c.Kube, read: map[claim]*maker{}} }

// Same says whether the controller that makes pod a makes pod b too. Pods that name controllers of
// different kinds cost no request.
func (o *Owners) Same(ctx context.Context, a, b *corev1.Pod) (bool, error) {
	x, y := metav1.GetControllerOf(a), metav1.GetControllerOf(b)
	if x == nil || y == nil || x.Kind != y.Kind || x.APIVersion != y.APIVersion || x.Kind != "ReplicaSet" && x.UID != y.UID {
		return false, nil
	}
	first, err := o.Of(ctx, a)
	if first == nil || err != nil {
		return false, err
	}
	second, err := o.Of(ctx, b)
	return second != nil && claimOf(b.Namespace, second) == claimOf(a.Namespace, first), err
}

// Of is what makes a pod again: its controller, or the Deployment whose ReplicaSet that is; nil
// where nothing does. Whoever may make pods may name any controller as theirs. So a StatefulSet, a
// ReplicaSet or a DaemonSet makes only the pods that it selects, a StatefulSet only those with one
// of its names, and a Deployment only the ReplicaSets that it selects: for any other pod Of is nil.
// Of a controller of another kind nothing but its UID is known.
func (o *Owners) Of(ctx context.Context, p *corev1.Pod) (*metav1.OwnerReference, error) {
	ref := metav1.GetControllerOf(p)
	if ref == nil {
		return nil, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := claimOf(p.Namespace, ref)
	m := o.read[key]
	if m == nil || ref.Kind == "StatefulSet" && !m.owns(p) { // its replicas may be others by now
		var err error
		if m, err = o.maker(ctx, p.Namespace, *ref); err != nil {
			return nil, fmt.Errorf("reading %s %s/%s: %w", strings.ToLower(ref.Kind), p.Namespace, ref.Name, err)
		}
		o.read[key] = m
	}
	if !m.owns(p) {
		return nil, nil
	}
	return &m.top, nil
}

// maker reads the controller that a pod names. One that is not there, or has another UID, makes no
// pod.
func (o *Owners) maker(ctx context.Context, namespace string, ref metav1.OwnerReference) (*maker, error) {
	m := &maker{ref, func(*corev1.Pod) bool { return true }}
	if !inApps(ref) {
		return m, nil
	}
	none := &maker{ref, func(*corev1.Pod) bool { return false }}
	var object metav1.Object
	var selector *metav1.LabelSelector
	there := func(string) bool { return true }
	var err error
	switch apps := o.client.AppsV1(); ref.Kind {
	case "ReplicaSet":
		var set *appsv1.ReplicaSet
		if set, err = apps.ReplicaSets(namespace).Get(ctx, ref.Name, metav1.GetOptions{}); err == nil {
			object, selector = set, set.Spec.Selector
		}
	case "StatefulSet":
		var set *appsv1.StatefulSet
		if set, err = apps.StatefulSets(namespace).Get(ctx, ref.Name, metav1.GetOptions{}); err == nil {
			object, selector = set, set.Spec.Selector
		}
		there = func(name string) bool { return hasOrdinal(set, name) }
	case "DaemonSet":
		var set *appsv1.DaemonSet
		if set, err = apps.DaemonSets(namespace).Get(ctx, ref.Name, metav1.GetOptions{}); err == nil {
			object, selector = set, set.Spec.Selector
		}
	default:
		return m, nil
	}
	switch {
	case apierrors.IsNotFound(err) || err == nil && object.GetUID() != ref.UID:
		return none, nil
	case err != nil:
		return nil, err
	}
	if above := metav1.GetControllerOf(object); ref.Kind == "ReplicaSet" && above != nil {
		if made, err := o.selects(ctx, namespace, *above, object); err != nil || !made {
			return none, err
		}
		m.top = *above
	}
	chosen, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	m.owns = func(p *corev1.Pod) bool { return podrefs.MadeBy(p, ref.Kind, ref.Name, chosen) && there(p.Name) }
	return m, nil
}

// inApps says whether a controller is one of the API group apps.
func inApps(ref metav1.OwnerReference) bool {
	version, err := schema.ParseGroupVersion(ref.APIVersion)
	return err == nil && version.Group == appsv1.GroupName
}

// selects says whether the controller that a ReplicaSet names makes it. Of a controller that is no
// Deployment, such as a Rollout, nothing but its UID is known.
func (o *Owners) selects(ctx context.Context, namespace string, above metav1.OwnerReference, set metav1.Object) (bool, error) {
	if above.Kind != "Deployment" || !inApps(above) {
		return true, nil
	}
	d, err := o.client.AppsV1().Deployments(namespace).Get(ctx, above.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && d.UID != above.UID:
		return false, nil
	case err != nil:
		return false, err
	}
	chosen, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	return err == nil && chosen.Matches(labels.Set(set.GetLabels())), err
}

// hasOrdinal says whether a StatefulSet has a pod of that name, by its replicas.
func hasOrdinal(set *appsv1.StatefulSet, pod string) bool {
	first, replicas := 0, 1
	if set.Spec.Ordinals != nil {
		first = int(set.Spec.Ordinals.Start)
	}
	if set.Spec.Replicas != nil {
		replicas = int(*set.Spec.Replicas)
	}
	n, ok := podrefs.Ordinal(pod, set.Name)
	return ok && n >= first && n < first+replicas
}
