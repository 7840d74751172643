package workload

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// image has a shell; the cluster for tests has it.
const image = "kubectl-rotate.test/platform-base:dev"

// patient is how long a test waits for the cluster to do something.
const patient = 2 * time.Minute

// clusterConfig is the way to a real cluster; the test is skipped where there is none.
func clusterConfig(t *testing.T) *rest.Config {
	t.Helper()
	path := os.Getenv("KUBECTL_ROTATE_KUBECONFIG")
	if path == "" {
		t.Skip("KUBECTL_ROTATE_KUBECONFIG does not name the kubeconfig of a cluster for tests")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	must(t, err)
	config.QPS = -1
	return config
}

// place is a namespace of its own on the cluster, with a Secret in it.
type place struct {
	*testing.T
	*Consumers
	config *rest.Config
}

func newPlace(t *testing.T) *place {
	t.Helper()
	config := clusterConfig(t)
	t.Parallel()
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	made, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "workload-"}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("removing namespace %s: %v", made.Name, err)
		}
	})
	p := &place{T: t, config: config, Consumers: &Consumers{
		Client: client, Namespace: made.Name, Secret: secret,
		Redact: func(text string) string { return strings.ReplaceAll(text, "swordfish", rotation.Redacted) },
	}}
	_, err = client.CoreV1().Secrets(made.Name).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secret}, StringData: map[string]string{"password": "swordfish"},
	}, metav1.CreateOptions{})
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// script is a template whose container runs a script, with the Secret and the edition in its environment. It is
// ready while the file /tmp/ready is there.
func script(text string) corev1.PodTemplateSpec {
	grace := int64(1)
	label := map[string]string{"app": "test"}
	fieldPath := "metadata.labels['" + Label(secret) + "']"
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: label},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: "app", Image: image, ImagePullPolicy: corev1.PullNever,
				Command: []string{"/bin/sh", "-c", text},
				EnvFrom: envFrom(secret),
				Env:     []corev1.EnvVar{{Name: "EDITION", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: fieldPath}}}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/ls", "/tmp/ready"}}},
					PeriodSeconds: 1,
				},
			}},
		},
	}
}

const (
	serves = "touch /tmp/ready; exec sleep 3600"
	// breaks crashes in edition 2, and says the password.
	breaks = `if [ "$EDITION" = 2 ]; then echo connecting; echo "no login with $password"; exit 3; fi; ` + serves
)

var selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "test"}}

func (p *place) deployment(name string, replicas int32, t corev1.PodTemplateSpec) {
	p.Helper()
	deadline, all, none := int32(5), intstr.FromInt32(1), intstr.FromInt32(0)
	_, err := p.Client.AppsV1().Deployments(p.Namespace).Create(p.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: selector, Template: t, ProgressDeadlineSeconds: &deadline,
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &all, MaxUnavailable: &none}},
		},
	}, metav1.CreateOptions{})
	must(p.T, err)
}

func (p *place) statefulSet(name string, replicas int32, t corev1.PodTemplateSpec) {
	p.Helper()
	_, err := p.Client.AppsV1().StatefulSets(p.Namespace).Create(p.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector, Template: t},
	}, metav1.CreateOptions{})
	must(p.T, err)
}

// look is the one workload of the place.
func (p *place) look() rotation.Workload {
	p.Helper()
	all, err := p.Workloads(p.Context())
	must(p.T, err)
	if len(all) != 1 {
		p.Fatalf("the workloads are %+v, want one", all)
	}
	return all[0]
}

// until looks at the one workload again and again until it is as wanted, or time is up.
func (p *place) until(what string, is func(rotation.Workload) bool) rotation.Workload {
	p.Helper()
	changes := p.Changes(p.Context())
	end := time.NewTimer(patient)
	defer end.Stop()
	for {
		w := p.look()
		if is(w) {
			return w
		}
		again := time.NewTimer(time.Second)
		select {
		case <-changes:
		case <-again.C:
		case <-end.C:
			p.Fatalf("waited for it to be %s: %+v", what, w)
		}
		again.Stop()
	}
}

func (p *place) settled() rotation.Workload {
	p.Helper()
	return p.until("settled", func(w rotation.Workload) bool { return w.Settled && len(w.Pods) == w.Desired })
}

func names(pods []rotation.Pod) (all []string) {
	for _, p := range pods {
		all = append(all, p.Name)
	}
	return all
}

func (p *place) daemonSet(name string, t corev1.PodTemplateSpec) {
	p.Helper()
	_, err := p.Client.AppsV1().DaemonSets(p.Namespace).Create(p.Context(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: t},
	}, metav1.CreateOptions{})
	must(p.T, err)
}

// restricted is the place as a user sees it who has nothing but the permissions of rules.
func (p *place) restricted(user string, rules []rbacv1.PolicyRule) *place {
	p.Helper()
	meta := metav1.ObjectMeta{Name: user}
	_, err := p.Client.RbacV1().Roles(p.Namespace).Create(p.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	must(p.T, err)
	_, err = p.Client.RbacV1().RoleBindings(p.Namespace).Create(p.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	must(p.T, err)
	config := rest.CopyConfig(p.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	client, err := kubernetes.NewForConfig(config)
	must(p.T, err)
	err = wait.PollUntilContextTimeout(p.Context(), 20*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Pods(p.Namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil, nil
	})
	must(p.T, err)
	return &place{T: p.T, config: config, Consumers: &Consumers{Client: client, Namespace: p.Namespace, Secret: secret, Redact: p.Redact}}
}
