package workload

import (
	"context"
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Replace evicts p, so that disruption budgets hold: ErrNotYet says that one of them does not allow it now. It never
// deletes a pod past its budget, not even where evictions are not permitted: that is an error that names the
// permission. A pod that is gone, or another of the same name, is left as it is.
func (c *Consumers) Replace(ctx context.Context, w rotation.Workload, p rotation.Pod) error {
	found, err := c.Client.CoreV1().Pods(c.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return c.explain("get", "pods "+p.Name, err)
	case !found.CreationTimestamp.Time.Equal(p.Created) || found.DeletionTimestamp != nil:
		return nil
	}
	err = c.Client.PolicyV1().Evictions(c.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: p.Name, Namespace: c.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(found.UID))},
	})
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause):
		return fmt.Errorf("pod %s of %s is held by a disruption budget: %w: %w", p.Name, w.Name, rotation.ErrNotYet, err)
	}
	return c.explain("create", "pods/eviction "+p.Name, err)
}
