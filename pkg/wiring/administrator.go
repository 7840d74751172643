package wiring

import (
	"context"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// administrator is who changes logins: as configured, else as the server's own pod is told, else the superuser
// without a password, for servers that trust whoever comes from their own pod.
func administrator(ctx context.Context, in opening) (postgres.Admin, error) {
	admin := postgres.Admin{User: in.server.Admin.User, Database: in.target.Postgres.Database}
	if in.server.Admin.Secret != nil {
		password, err := adminPassword(ctx, in)
		admin.Password = password
		return admin, err
	}
	if in.server.Pod == "" {
		return admin, nil // there is none behind its Service, where it is dialed directly
	}
	found, err := superuser(ctx, in, admin)
	if in.via == kube.ViaDirect && apierrors.IsNotFound(err) {
		return admin, nil // it does not run in a pod
	}
	return found, err
}

// adminPassword is what the configuration names. A ConfigMap, which is the namespace's data, may name what the server's own pod is given
// and nothing else: any other Secret would go to whoever answers in that pod.
func adminPassword(ctx context.Context, in opening) (rotation.Secret, error) {
	ref := in.server.Admin.Secret
	if in.source.Tenants() {
		pod, err := in.clients.Kube.CoreV1().Pods(serverNamespace(in)).Get(ctx, in.server.Pod, metav1.GetOptions{})
		if err != nil {
			return rotation.Secret{}, fmt.Errorf("reading pod %s, which is to be given the administrator's password: %w", in.server.Pod, err)
		}
		if !isGiven(pod.Spec, *ref) {
			return rotation.Secret{}, UsageError{rotation.WithHint(
				fmt.Errorf("%s.admin.secret: pod %s is not given key %s of secret %s, and %s may not send it there",
					in.server.Section, in.server.Pod, ref.Key, ref.Name, in.source),
				fmt.Sprintf("remove the field, or read the ConfigMap and trust all of it with `--config=%s`", in.source))}
		}
	}
	password, err := in.clients.ReadKey(ctx, in.namespace, ref.Name, ref.Key)
	if err != nil {
		return password, fmt.Errorf("reading the administrator's password: %w", err)
	}
	return password, nil
}

// isGiven says whether a pod is given that key of that Secret: in a variable or in a file. What was put into it since it was made does not
// count.
func isGiven(p corev1.PodSpec, ref config.KeyRef) bool {
	p.EphemeralContainers = nil
	for r := range podrefs.In(&p) {
		if r.Object == ref.Name && r.Gives(ref.Key) {
			return true
		}
	}
	return false
}

// superuser is who the server's own pod is told that it is.
func superuser(ctx context.Context, in opening, admin postgres.Admin) (postgres.Admin, error) {
	env, err := kube.ContainerEnv(ctx, in.clients.Kube.CoreV1(), serverNamespace(in), in.server.Pod, in.server.Container)
	if err != nil {
		return admin, err
	}
	if err := admin.FromEnvironment(valueOf(ctx, env)); err != nil {
		return admin, notFound(in.server, err)
	}
	return admin, nil
}

// valueOf looks up variables of a container by their names.
func valueOf(ctx context.Context, env *kube.Environment) func(string) (rotation.Secret, bool, error) {
	return func(name string) (rotation.Secret, bool, error) {
		v, found, err := env.Lookup(ctx, name)
		return v.Value, found, err
	}
}

// notFound is an administrator's password that is there and cannot be read.
func notFound(s config.Server, err error) error {
	err = fmt.Errorf("looking for the administrator's password in pod %s: %w", s.Pod, err)
	if apierrors.IsForbidden(err) {
		return rotation.Refuse(rotation.WithHint(err,
			"`kubectl rotate rbac --admin-secret=NAME` prints the Role that allows it"))
	}
	return rotation.WithHint(err, "name the Secret that holds it in the configuration: "+s.Section+".admin.secret")
}

// hostAndPort takes an address apart; one without a port has PostgreSQL's.
func hostAndPort(address string) (string, uint16) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, uint16(n)
}
