// Package deploy puts the demo platform on a cluster, one copy per namespace: PostgreSQL, Redis and the backend service, under
// the names that the runbook uses.
package deploy

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/manifests"
)

const (
	// BaseImage and BackendImage are the images that Options stand for when they name none.
	BaseImage    = "kubectl-rotate.test/platform-base:dev"
	BackendImage = "kubectl-rotate.test/demo-backend:dev"

	fieldManager = "demo-platform"
	partOf       = "app.kubernetes.io/part-of"
	platformName = "demo-platform"
	login        = "backend" // the first login, at PostgreSQL and at Redis
)

// Options say how to deploy. The zero value is the runbook's platform.
type Options struct {
	// BaseImage is Debian with PostgreSQL 15 and Redis 7.0; empty is the constant of that name.
	BaseImage string
	// BackendImage holds the backend; empty is the constant of that name.
	BackendImage string
	// Replicas of the backend; zero is 3.
	Replicas int32
	// RedisNodes is how many pods Redis has, a primary and its replicas; zero is 1. With more than one the backend reads keys too.
	RedisNodes int32
	// TokenLifetime is how long the backend's tokens are valid; zero is 15 minutes.
	TokenLifetime time.Duration
	// DrainDelay is how long a backend serves after SIGTERM; zero is 4 seconds. Requests get lost where it is much less.
	DrainDelay time.Duration
	// Progress is told, one line at a time, what has changed; nil is told nothing.
	Progress func(line string)
}

func (o Options) withDefaults() Options {
	if o.BaseImage == "" {
		o.BaseImage = BaseImage
	}
	if o.BackendImage == "" {
		o.BackendImage = BackendImage
	}
	if o.Replicas == 0 {
		o.Replicas = 3
	}
	if o.RedisNodes == 0 {
		o.RedisNodes = 1
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = 15 * time.Minute
	}
	if o.DrainDelay == 0 {
		o.DrainDelay = 4 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// Platform is one copy, deployed and ready.
type Platform struct {
	Namespace string
	// URL is the backend's, at its Service's cluster IP.
	URL string
	// PostgreSQL and Redis are host:port, at their Services' cluster IPs.
	PostgreSQL, Redis string

	client  kubernetes.Interface
	applier *applier
	options Options
}

// Deploy puts a platform into namespace, or brings the one there up to date, and returns when it is ready. Passwords and keys are
// made once; those that exist stay. A deadline of ctx bounds the wait, and the error then says what was not ready.
func Deploy(ctx context.Context, config *rest.Config, namespace string, o Options) (*Platform, error) {
	p, err := connect(config, namespace, o)
	if err != nil {
		return nil, err
	}
	if err := p.ensureNamespace(ctx); err != nil {
		return nil, err
	}
	if err := p.ensureSecrets(ctx); err != nil {
		return nil, err
	}
	if err := p.applyServers(ctx); err != nil {
		return nil, err
	}
	if err := p.applyBackend(ctx); err != nil {
		return nil, err
	}
	return p, p.wait(ctx)
}

func connect(config *rest.Config, namespace string, o Options) (*Platform, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("preparing a client: %w", err)
	}
	applier, err := newApplier(config)
	if err != nil {
		return nil, err
	}
	return &Platform{Namespace: namespace, client: client, applier: applier, options: o.withDefaults()}, nil
}

// ensureNamespace makes the namespace if it is missing. The label says that it goes with the platform.
func (p *Platform) ensureNamespace(ctx context.Context) error {
	_, err := p.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: p.Namespace, Labels: map[string]string{partOf: platformName}},
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making namespace %s: %w", p.Namespace, err)
	}
	return nil
}

func (p *Platform) applyServers(ctx context.Context) error {
	values := p.values()
	var err error
	if values.Data, err = p.dataPrefix(ctx); err != nil {
		return err
	}
	for _, file := range []string{"postgresql.yaml", "redis.yaml"} {
		if err := p.apply(ctx, file, values); err != nil {
			return err
		}
	}
	return nil
}

// applyBackend comes after the servers: its pods need the address of a Service that exists.
func (p *Platform) applyBackend(ctx context.Context) error {
	host, err := p.clusterIP(ctx, "postgresql")
	if err != nil {
		return err
	}
	values := p.values()
	values.PostgreSQLAddress = host
	if err := p.apply(ctx, "backend.yaml", values); err != nil {
		return err
	}
	p.PostgreSQL = net.JoinHostPort(host, "5432")
	redis, err := p.clusterIP(ctx, "redis")
	if err != nil {
		return err
	}
	p.Redis = net.JoinHostPort(redis, "6379")
	p.URL, err = p.backendURL(ctx)
	return err
}

func (p *Platform) values() manifests.Values {
	return manifests.Values{
		Namespace:     p.Namespace,
		BaseImage:     p.options.BaseImage,
		BackendImage:  p.options.BackendImage,
		PullPolicy:    string(corev1.PullNever),
		Replicas:      p.options.Replicas,
		RedisNodes:    p.options.RedisNodes,
		TokenLifetime: p.options.TokenLifetime.String(),
		DrainDelay:    p.options.DrainDelay.String(),
	}
}

func (p *Platform) apply(ctx context.Context, file string, v manifests.Values) error {
	objects, err := manifests.Render(file, v)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := p.applier.apply(ctx, p.Namespace, o); err != nil {
			return err
		}
	}
	return nil
}

// dataPrefix gives how the volumes' directories are called: as those in use, or anew for each deployment, so that a
// database left behind by an earlier one is never met by new passwords. They are in /tmp because Kubernetes deletes the
// directory of a reclaimed volume nowhere else.
func (p *Platform) dataPrefix(ctx context.Context) (string, error) {
	volume, err := p.client.CoreV1().PersistentVolumes().Get(ctx, p.Namespace+"-postgresql", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		suffix := strings.ToLower(rand.Text()[:8])
		return fmt.Sprintf("/tmp/%s-%s-%s", platformName, p.Namespace, suffix), nil
	case err != nil:
		return "", fmt.Errorf("looking for the data of an earlier deployment: %w", err)
	case volume.Spec.HostPath == nil:
		return "", fmt.Errorf("persistent volume %s is not this platform's", volume.Name)
	}
	return strings.TrimSuffix(volume.Spec.HostPath.Path, "-postgresql"), nil
}

// BackendURL gives the address of the backend that runs in namespace.
func BackendURL(ctx context.Context, config *rest.Config, namespace string) (string, error) {
	p, err := connect(config, namespace, Options{})
	if err != nil {
		return "", err
	}
	return p.backendURL(ctx)
}

func (p *Platform) backendURL(ctx context.Context) (string, error) {
	ip, err := p.clusterIP(ctx, "backend")
	return "http://" + ip, err
}

func (p *Platform) clusterIP(ctx context.Context, service string) (string, error) {
	s, err := p.client.CoreV1().Services(p.Namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading service %s/%s: %w", p.Namespace, service, err)
	}
	return s.Spec.ClusterIP, nil
}
