package workload

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// canaryLife is how long a canary lives at the most: one that was left by an operator who never came back ends by itself.
const canaryLife = time.Hour

// canaryGate keeps a canary from being scheduled before its Secrets are there.
const canaryGate = labelPrefix + "secrets"

// Canary starts a copy of a consumer's pod with the Secrets as they would be. It implements [rotation.Canary].
//
// The copy lacks labels, so that no Service, no disruption budget and not its own controller selects it: nobody's requests go to
// it and nobody counts it. It keeps those by which a NetworkPolicy selects, where it can. What it reads instead of the Secrets are copies of them, which belong to the pod and vanish
// with it.
type Canary struct {
	Consumers *Consumers
	// Rendered is what each Secret of the consumers would hold with rec's target, by its name.
	Rendered func(ctx context.Context, rec rotation.Record) (map[string]map[string][]byte, error)
	// ServerNamespace is where the server is, whose NetworkPolicies count too; "" is the consumers' namespace.
	ServerNamespace string
}

var _ rotation.Canary = (*Canary)(nil)

// CanaryRules are the permissions that a Canary takes beside those of its Consumers.
func CanaryRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create", "patch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"}},
		{APIGroups: []string{"policy"}, Resources: []string{"poddisruptionbudgets"}, Verbs: []string{"list"}},
	}
}

// CanaryPolicyRule is the permission that a Canary does without, and then cannot tell whether the network keeps it from the server. It
// is for the namespaces of the consumers and of the server.
func CanaryPolicyRule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"list"}}
}

// Look gives all canaries of the Secret.
func (c *Canary) Look(ctx context.Context) (all []rotation.CanaryPod, err error) {
	pods, err := c.pods(ctx)
	if err != nil {
		return nil, err
	}
	at := c.Consumers
	m := moment{secrets: at.names(), label: Label(at.Secret), now: at.now(), words: at.lastWords(ctx, pods)}
	for _, p := range pods {
		attempt, err := strconv.Atoi(p.Labels[c.label()])
		if err != nil {
			attempt = 0 // of no decision
		}
		seen := m.pod(p)
		if strings.HasPrefix(seen.Problem, corev1.PodReasonSchedulingGated) {
			seen.Problem = "" // it waits for us, or the scheduler has not seen yet that it does not
		}
		if p.Status.Phase == corev1.PodFailed && seen.Problem == "" {
			seen.Problem = "it has ended: " + oneLine(p.Status.Reason+" "+p.Status.Message)
		}
		all = append(all, rotation.CanaryPod{Pod: seen, Of: p.Annotations[c.label()], Attempt: attempt})
	}
	return all, nil
}

func (c *Canary) pods(ctx context.Context) (all []*corev1.Pod, err error) {
	list := func(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
		o.LabelSelector = c.label()
		return c.Consumers.Client.CoreV1().Pods(c.Consumers.Namespace).List(ctx, o)
	}
	err = pages(ctx, c.Consumers, "pods", list, func(l *corev1.PodList) {
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	})
	return all, err
}

func gated(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == canaryGate })
}

// label is what marks the canaries of the Secret; its value is the decision, and as an annotation what it is a copy of.
func (c *Canary) label() string { return "canary." + Label(c.Consumers.Secret) }

// Plan says what is copied, and how.
func (c *Canary) Plan(ctx context.Context) ([]string, error) {
	of, err := c.model(ctx)
	if err != nil {
		return nil, err
	}
	return []string{
		fmt.Sprintf("start one copy of a pod of %s, which no Service selects, with copies of the Secrets", of.id()),
		"what such a pod does by itself at its start is done once more",
		"it is removed once the new version is active",
	}, nil
}

// model is the consumer to copy a pod of: a Deployment before a StatefulSet, and none whose copy would get in the way of
// its pods.
func (c *Canary) model(ctx context.Context) (controller, error) {
	groups, _, err := c.Consumers.survey(ctx)
	if err != nil {
		return controller{}, err
	}
	for _, kind := range []string{"deployment", "statefulset"} {
		for _, g := range groups {
			if g.kind == kind && g.desired > 0 && !c.Consumers.keeps(g.controller) && g.template != nil && c.Consumers.reads(&g.template.Spec) && copyable(&g.template.Spec) {
				return g.controller, nil
			}
		}
	}
	return controller{}, rotation.Refuse(rotation.WithHint(
		fmt.Errorf("no consumer of secret %s/%s can be tried by one more pod: it takes a Deployment or a StatefulSet that has pods, and neither a volume of its own nor the host's network", c.Consumers.Namespace, c.Consumers.Secret),
		"leave it out with --canary=false"))
}

// copyable says whether one more pod of spec would share nothing with the others that only one can have, and has an
// address of its own.
func copyable(spec *corev1.PodSpec) bool {
	ports := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 })
	}
	claims := func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil }
	return !spec.HostNetwork && !slices.ContainsFunc(spec.Volumes, claims) && !slices.ContainsFunc(podrefs.Containers(spec), ports)
}

// Start makes the pod, which is not scheduled yet, then its Secrets, and lets it go. A crash in between leaves a pod that
// the same call goes on with, and that takes all with it when it is removed.
func (c *Canary) Start(ctx context.Context, rec rotation.Record) error {
	if rec.Intent == nil {
		return errors.New("starting a canary: nothing is decided")
	}
	data, err := c.Rendered(ctx, rec)
	if err != nil {
		return err
	}
	pod, err := c.waiting(ctx, rec.Intent.Attempt)
	if err == nil && pod == nil {
		pod, err = c.make(ctx, rec.Intent.Attempt)
	}
	if err != nil {
		return err
	}
	for name, content := range data {
		if err := c.makeSecret(ctx, pod, name, content); err != nil {
			return err
		}
	}
	return c.release(ctx, pod)
}

// waiting is the pod of an attempt that has not been let go yet, nil where there is none.
func (c *Canary) waiting(ctx context.Context, attempt int) (*corev1.Pod, error) {
	pods, err := c.pods(ctx)
	for _, p := range pods {
		if p.Labels[c.label()] == strconv.Itoa(attempt) && p.DeletionTimestamp == nil && gated(p) {
			return p, nil
		}
	}
	return nil, err
}

func (c *Canary) make(ctx context.Context, attempt int) (*corev1.Pod, error) {
	of, err := c.model(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := c.labelsOf(ctx, of)
	if err != nil {
		return nil, err
	}
	own := c.copyOf(of, strings.ToLower(rand.Text()[:5]))
	own.Labels = chosen.labels
	own.Labels[c.label()] = strconv.Itoa(attempt)
	made, err := c.Consumers.Client.CoreV1().Pods(c.Consumers.Namespace).Create(ctx, own, metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil {
		return nil, c.Consumers.explain("create", "pods "+own.Name, err)
	}
	return made, nil
}

// release lets a pod be scheduled.
func (c *Canary) release(ctx context.Context, pod *corev1.Pod) error {
	change, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": pod.ResourceVersion}, "spec": map[string]any{"schedulingGates": nil},
	})
	if err != nil {
		return err
	}
	_, err = c.Consumers.Client.CoreV1().Pods(c.Consumers.Namespace).Patch(ctx, pod.Name, types.MergePatchType, change,
		metav1.PatchOptions{FieldManager: FieldManager})
	if err != nil {
		return c.Consumers.explain("patch", "pods "+pod.Name, err)
	}
	return nil
}

// named is what the canary with this mark at its end has in the place of a Secret; the pod itself is called after the
// target's.
func named(secret, mark string) string { return secret + "-canary-" + mark }

func (c *Canary) copyOf(of controller, mark string) *corev1.Pod {
	spec := of.template.Spec.DeepCopy()
	for _, secret := range c.Consumers.names() {
		redirect(spec, secret, named(secret, mark))
	}
	life := int64(canaryLife.Seconds())
	spec.ActiveDeadlineSeconds, spec.NodeName = &life, ""
	spec.SchedulingGates = append(spec.SchedulingGates, corev1.PodSchedulingGate{Name: canaryGate})
	notes := maps.Clone(of.template.Annotations)
	if notes == nil {
		notes = map[string]string{}
	}
	notes[c.label()] = of.id()
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: named(c.Consumers.Secret, mark), Annotations: notes}, Spec: *spec}
}

// redirect has spec read another Secret instead of one, in all that hands its content to a container.
func redirect(spec *corev1.PodSpec, from, to string) {
	for ref := range podrefs.In(spec) {
		if ref.Object == from && (ref.Use == podrefs.Variable || ref.Use == podrefs.File) {
			ref.Rename(to)
		}
	}
}

// makeSecret makes the pod's own copy of a Secret, which the garbage collector removes after the pod.
func (c *Canary) makeSecret(ctx context.Context, pod *corev1.Pod, secret string, data map[string][]byte) error {
	name := named(secret, strings.TrimPrefix(pod.Name, named(c.Consumers.Secret, "")))
	_, err := c.Consumers.Client.CoreV1().Secrets(c.Consumers.Namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"app.kubernetes.io/managed-by": "kubectl-rotate"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}},
		},
		Data: data,
	}, metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return rotation.RedactError(c.Consumers.explain("create", "secrets "+name, err), slices.Collect(maps.Values(data))...)
	}
	return nil
}

// End deletes the pod, and with it its Secrets.
func (c *Canary) End(ctx context.Context, p rotation.CanaryPod) error {
	err := c.Consumers.Client.CoreV1().Pods(c.Consumers.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return c.Consumers.explain("delete", "pods "+p.Name, err)
	}
	return nil
}
