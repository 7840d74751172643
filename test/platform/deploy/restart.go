package deploy

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Restart does what "kubectl rollout restart deployment backend" does, and returns when the last of the old pods has
// ended.
func (p *Platform) Restart(ctx context.Context) error {
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`,
		time.Now().Format(time.RFC3339Nano))
	_, err := p.client.AppsV1().Deployments(p.Namespace).Patch(ctx, "backend", types.StrategicMergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "kubectl-rollout"})
	if err != nil {
		return fmt.Errorf("restarting deployment %s/backend: %w", p.Namespace, err)
	}
	return p.wait(ctx)
}
