package deploy

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
)

// Remove takes the platform out of namespace, with its passwords and its data, and returns when it is gone. A
// namespace that Deploy made goes as a whole; of another, what Deploy put there and the records of its
// rotations (postgresql-credentials-rotate and so on).
func Remove(ctx context.Context, config *rest.Config, namespace string, progress func(line string)) error {
	p, err := connect(config, namespace, Options{Progress: progress})
	if err != nil {
		return err
	}
	ns, err := p.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	if err := p.removeObjects(ctx); err != nil {
		return err
	}
	if err := p.removeVolumes(ctx); err != nil {
		return err
	}
	if ns.Labels[partOf] != platformName {
		return nil
	}
	return p.removeNamespace(ctx)
}

func (p *Platform) removeNamespace(ctx context.Context) error {
	namespaces := p.client.CoreV1().Namespaces()
	if err := ignoreGone(namespaces.Delete(ctx, p.Namespace, metav1.DeleteOptions{})); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", p.Namespace, err)
	}
	return p.untilGone(ctx, "namespace "+p.Namespace, func(ctx context.Context) (int, error) {
		_, err := namespaces.Get(ctx, p.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return 0, nil
		}
		return 1, err
	})
}

func (p *Platform) removeObjects(ctx context.Context) error {
	foreground := metav1.DeletePropagationForeground
	how := metav1.DeleteOptions{PropagationPolicy: &foreground}
	ours := metav1.ListOptions{LabelSelector: partOf + "=" + platformName}
	apps, core := p.client.AppsV1(), p.client.CoreV1()
	for _, deletion := range []struct {
		what string
		do   func() error
	}{
		{"deployments", func() error { return apps.Deployments(p.Namespace).DeleteCollection(ctx, how, ours) }},
		{"statefulsets", func() error { return apps.StatefulSets(p.Namespace).DeleteCollection(ctx, how, ours) }},
		{"configmaps", func() error { return core.ConfigMaps(p.Namespace).DeleteCollection(ctx, how, ours) }},
		{"secrets", func() error { return core.Secrets(p.Namespace).DeleteCollection(ctx, how, ours) }},
		{"services", func() error { return p.removeServices(ctx, ours) }},
		{"records", func() error { return p.removeRecords(ctx) }},
	} {
		if err := deletion.do(); err != nil {
			return fmt.Errorf("deleting the platform's %s in namespace %s: %w", deletion.what, p.Namespace, err)
		}
	}
	return p.untilGone(ctx, "pods", func(ctx context.Context) (int, error) {
		pods, err := p.pods(ctx, "app in (postgresql, redis, backend)")
		return len(pods), err
	})
}

// removeServices deletes one by one: services cannot be deleted as a collection by every API server.
func (p *Platform) removeServices(ctx context.Context, which metav1.ListOptions) error {
	services := p.client.CoreV1().Services(p.Namespace)
	list, err := services.List(ctx, which)
	if err != nil {
		return err
	}
	for _, s := range list.Items {
		if err := ignoreGone(services.Delete(ctx, s.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	return nil
}

// removeRecords deletes what rotations have written down about values that no longer exist.
func (p *Platform) removeRecords(ctx context.Context) error {
	for _, name := range []string{"postgresql-credentials", "redis-credentials", "jwt-keys"} {
		err := p.client.CoreV1().Secrets(p.Namespace).Delete(ctx, name+"-rotate", metav1.DeleteOptions{})
		if ignoreGone(err) != nil {
			return err
		}
	}
	return nil
}

// removeVolumes waits for the claims, which follow their StatefulSets, and for the volumes, which follow the claims. A volume whose
// directory this cluster does not delete is deleted here, and its directory stays.
func (p *Platform) removeVolumes(ctx context.Context) error {
	volumes := p.client.CoreV1().PersistentVolumes()
	for _, server := range []string{"postgresql", "redis", "redis-1", "redis-2"} {
		name := p.Namespace + "-" + server
		err := p.untilGone(ctx, "volume "+name, func(ctx context.Context) (int, error) {
			v, err := volumes.Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return 0, nil
			}
			if err == nil && (v.Status.Phase == "Failed" || v.Status.Phase == "Available") {
				err = ignoreGone(volumes.Delete(ctx, name, metav1.DeleteOptions{}))
			}
			return 1, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// untilGone waits until count gives zero.
func (p *Platform) untilGone(ctx context.Context, what string, count func(context.Context) (int, error)) error {
	shown := 0
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		n, err := count(ctx)
		if err == nil && n != shown {
			p.options.Progress(fmt.Sprintf("%s: %d left", what, n))
			shown = n
		}
		return err == nil && n == 0, err
	})
	if err != nil {
		return fmt.Errorf("waiting for %s to go: %w", what, err)
	}
	return nil
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
