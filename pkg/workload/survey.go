package workload

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pageSize is how many objects one request asks for.
const pageSize = 500

// survey is all consumers, those in Keep too, and what to look at their pods with.
//
// Every list is read from a quorum, and the pods are read last: a workload that had settled when it was read had no old
// pod left by then, so none can be missing from the list.
func (c *Consumers) survey(ctx context.Context) ([]*group, moment, error) {
	m := moment{secrets: c.names(), label: Label(c.Secret), now: c.now()}
	controllers, err := c.controllers(ctx)
	if err != nil {
		return nil, m, err
	}
	pods, err := c.pods(ctx, func(spec *corev1.PodSpec) bool { return len(c.More) > 0 || c.reads(spec) })
	if err != nil {
		return nil, m, err
	}
	groups, err := c.group(ctx, controllers, pods, c.reads)
	if err != nil {
		return nil, m, err
	}
	m.down, m.words = c.nodesDown(ctx, pods), c.lastWords(ctx, pods)
	return groups, m, nil
}

// controllers are those in the namespace whose templates we can change, whether they read the Secret or not.
func (c *Consumers) controllers(ctx context.Context) ([]controller, error) {
	apps, batch, label := c.Client.AppsV1(), c.Client.BatchV1(), Label(c.Secret)
	lists := make([][]controller, 4)
	err := together(
		func() error {
			return pages(ctx, c, "deployments", apps.Deployments(c.Namespace).List, func(l *appsv1.DeploymentList) {
				for i := range l.Items {
					lists[0] = append(lists[0], fromDeployment(&l.Items[i]))
				}
			})
		},
		func() error {
			return pages(ctx, c, "statefulsets", apps.StatefulSets(c.Namespace).List, func(l *appsv1.StatefulSetList) {
				for i := range l.Items {
					lists[1] = append(lists[1], fromStatefulSet(&l.Items[i]))
				}
			})
		},
		func() error {
			return pages(ctx, c, "daemonsets", apps.DaemonSets(c.Namespace).List, func(l *appsv1.DaemonSetList) {
				for i := range l.Items {
					lists[2] = append(lists[2], fromDaemonSet(&l.Items[i], label))
				}
			})
		},
		func() error {
			return pages(ctx, c, "cronjobs", batch.CronJobs(c.Namespace).List, func(l *batchv1.CronJobList) {
				for i := range l.Items {
					lists[3] = append(lists[3], fromCronJob(&l.Items[i]))
				}
			})
		},
	)
	var all []controller
	for _, l := range lists {
		all = append(all, l...)
	}
	return all, err
}

// pods are the live pods of the namespace that read the Secret, or may.
func (c *Consumers) pods(ctx context.Context, may func(*corev1.PodSpec) bool) (found []*corev1.Pod, err error) {
	err = pages(ctx, c, "pods", c.Client.CoreV1().Pods(c.Namespace).List, func(l *corev1.PodList) {
		for i := range l.Items {
			if p := &l.Items[i]; isLive(p) && may(&p.Spec) {
				found = append(found, p.DeepCopy()) // lets the page go, of which it may be the only one
			}
		}
	})
	return found, err
}

// pages reads a list page by page.
func pages[L metav1.ListInterface](ctx context.Context, c *Consumers, resource string,
	list func(context.Context, metav1.ListOptions) (L, error), each func(L)) error {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := list(ctx, options)
		if err != nil {
			return c.explain("list", resource, err)
		}
		each(page)
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// together runs all at once and gives the errors there were.
func together(all ...func() error) error {
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, f := range all {
		running.Go(func() { errs[i] = f() })
	}
	running.Wait()
	return errors.Join(errs...)
}

// group puts the pods to what controls them, and leaves out who does not read the Secret. The groups come in the order
// of their kinds, each kind in that of its names.
func (c *Consumers) group(ctx context.Context, controllers []controller, pods []*corev1.Pod, reads func(*corev1.PodSpec) bool) ([]*group, error) {
	var groups []*group
	byUID := map[types.UID]*group{}
	add := func(k controller) *group {
		g := &group{controller: k}
		groups, byUID[k.uid] = append(groups, g), g
		return g
	}
	for _, k := range controllers {
		add(k)
	}
	for _, p := range pods {
		ref := metav1.GetControllerOf(p)
		g, known := byRef(byUID, ref)
		if !known {
			k, err := c.controlling(ctx, p, ref)
			if err != nil {
				return nil, err
			}
			if g, known = byUID[k.uid]; !known {
				g = add(k)
			}
			if ref != nil {
				byUID[ref.UID] = g // its ReplicaSet: the next pod need not ask
			}
		}
		if !g.owns(p) {
			g = add(stray(p, g.controller))
		}
		if reads(&p.Spec) || c.named(g.controller) {
			g.pods = append(g.pods, p)
		}
	}
	return slices.DeleteFunc(groups, func(g *group) bool {
		return len(g.pods) == 0 && (g.template == nil || !reads(&g.template.Spec)) && !c.named(g.controller)
	}), nil
}

func byRef(byUID map[types.UID]*group, ref *metav1.OwnerReference) (*group, bool) {
	if ref == nil {
		return nil, false
	}
	g, known := byUID[ref.UID]
	return g, known
}

// controlling is what p belongs to: its controller ref, or the controller of that where it is a ReplicaSet.
func (c *Consumers) controlling(ctx context.Context, p *corev1.Pod, ref *metav1.OwnerReference) (controller, error) {
	switch {
	case ref == nil:
		return alone(p), nil
	case ref.Kind == "ReplicaSet" && strings.HasPrefix(ref.APIVersion, appsv1.GroupName+"/"):
		return c.replicaSet(ctx, ref)
	}
	return other(ref), nil
}

// replicaSet is what controls the ReplicaSet that ref names, or the ReplicaSet itself.
func (c *Consumers) replicaSet(ctx context.Context, ref *metav1.OwnerReference) (controller, error) {
	c.mu.Lock()
	owner, known := c.owners[ref.UID]
	c.mu.Unlock()
	if known {
		return other(&owner), nil
	}
	set, err := c.Client.AppsV1().ReplicaSets(c.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && set.UID != ref.UID:
		return other(ref), nil // it is gone, and its pods are about to be
	case err != nil:
		return controller{}, c.explain("get", "replicasets "+ref.Name, err)
	}
	above := metav1.GetControllerOf(set)
	if above == nil {
		return fromReplicaSet(set), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = map[types.UID]metav1.OwnerReference{}
	}
	c.owners[ref.UID] = *above
	return other(above), nil
}
