package workload

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func by(pairs ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	for i := 0; i < len(pairs); i += 2 {
		metav1.AddLabelToSelector(s, pairs[i], pairs[i+1])
	}
	return s
}

func exists(key string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: metav1.LabelSelectorOpExists}}}
}

func serviceOf(name string, pairs ...string) runtime.Object {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Selector: by(pairs...).MatchLabels}}
}

func budget(name string, s *metav1.LabelSelector) runtime.Object {
	return &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: s}}
}

// policy lets the pods that s selects out.
func policy(namespace, name string, s *metav1.LabelSelector) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: *s, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}},
	}
}

// admits lets pods that s selects in to the server.
func admits(namespace, name string, s *metav1.LabelSelector) *networkingv1.NetworkPolicy {
	p := policy(namespace, name, by("app", "postgresql"))
	p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{
		PodSelector: s, NamespaceSelector: by("team", "shop"),
	}}}}
	return p
}

// A canary is selected by no Service, budget or controller of others' pods. It keeps the labels of NetworkPolicies where it can; where
// it cannot, what bars it is named.
func TestTheLabelsOfACanary(t *testing.T) {
	deny := policy("shop", "default-deny", &metav1.LabelSelector{})
	own := "canary." + Label("db")
	for _, c := range []struct {
		name    string
		pod     map[string]string
		selects *metav1.LabelSelector // the Deployment
		objects []runtime.Object
		keeps   []string
		barred  []string // parts of what is said, in their order
		counts  []string
	}{
		{"nobody but the controller selects", map[string]string{"app": "backend", "tier": "web", "team": "a"}, by("app", "backend"), nil,
			[]string{"team", "tier"}, nil, nil},
		{"a Service by two labels, a policy by one of them", map[string]string{"app": "backend", "tier": "web"}, by("app", "backend"),
			[]runtime.Object{serviceOf("web", "app", "backend", "tier", "web"), deny, policy("shop", "allow-web", by("tier", "web"))},
			[]string{"tier"}, nil, nil},
		{"the controller by two labels, a policy by one of them", map[string]string{"app": "backend", "tier": "web"}, by("app", "backend", "tier", "web"),
			[]runtime.Object{serviceOf("web", "tier", "web"), policy("shop", "allow-app", by("app", "backend"))},
			[]string{"app"}, nil, nil},
		{"a policy and a Service by one label", map[string]string{"app": "backend", "tier": "web"}, by("app", "backend"),
			[]runtime.Object{serviceOf("web", "app", "backend"), deny, policy("shop", "allow-app", by("app", "backend"))},
			[]string{"tier"}, []string{"networkpolicy/allow-app in namespace shop selects the pods of the consumer by app=backend, as deployment/backend and service/web does"}, nil},
		{"where the server is, by one label", map[string]string{"app": "backend"}, by("app", "backend"),
			[]runtime.Object{admits("data", "from-backend", by("app", "backend")), policy("data", "its own", by("app", "backend"))},
			nil, []string{"networkpolicy/from-backend in namespace data"}, nil},
		{"where neither is", map[string]string{"app": "backend"}, by("app", "backend"),
			[]runtime.Object{admits("elsewhere", "from-backend", by("app", "backend"))}, nil, nil, nil},
		{"a rule for canaries settles it", map[string]string{"app": "backend"}, by("app", "backend"),
			[]runtime.Object{policy("shop", "allow-app", by("app", "backend")), policy("shop", "allow-canary", exists(own))}, nil, nil, nil},
		{"a rule for canaries elsewhere settles nothing here", map[string]string{"app": "backend"}, by("app", "backend"),
			[]runtime.Object{policy("shop", "allow-app", by("app", "backend")), admits("data", "allow-canary", exists(own))},
			nil, []string{"networkpolicy/allow-app in namespace shop"}, nil},
		{"a policy against who lacks the label", map[string]string{"app": "backend"}, by("app", "backend"),
			[]runtime.Object{policy("shop", "jail", &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpDoesNotExist}}})},
			nil, []string{"networkpolicy/jail"}, nil},
		{"a budget by a label of its own", map[string]string{"app": "backend", "budget": "b"}, by("app", "backend"),
			[]runtime.Object{budget("b", by("budget", "b"))}, nil, nil, nil},
		{"a budget for every pod", map[string]string{"app": "backend", "tier": "web"}, by("app", "backend"),
			[]runtime.Object{budget("all", &metav1.LabelSelector{})}, []string{"tier"}, nil, []string{"poddisruptionbudget/all"}},
		{"a Service that selects others", map[string]string{"app": "backend", "tier": "web"}, by("app", "backend"),
			[]runtime.Object{serviceOf("other", "tier", "db"), serviceOf("outside")}, []string{"tier"}, nil, nil},
		{"an expression of the controller's", map[string]string{"app": "backend", "tier": "web"}, exists("app"),
			[]runtime.Object{serviceOf("web", "tier", "web")}, nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			canary := &Canary{Consumers: &Consumers{Client: fake.NewClientset(c.objects...), Namespace: "shop", Secret: "db"}, ServerNamespace: "data"}
			template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: c.pod}}
			of := fromDeployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "backend"}, Spec: appsv1.DeploymentSpec{Selector: c.selects, Template: template}})
			got, err := canary.labelsOf(t.Context(), of)
			must(t, err)
			var keeps []string
			for key := range got.labels {
				keeps = append(keeps, key)
			}
			slices.Sort(keeps)
			if !slices.Equal(keeps, c.keeps) || !slices.Equal(got.counts, c.counts) || len(got.barred) != len(c.barred) || len(got.unread) > 0 {
				t.Fatalf("got %+v", got)
			}
			for i, want := range c.barred {
				if !strings.HasPrefix(got.barred[i], want) {
					t.Errorf("got %q, want %q", got.barred[i], want)
				}
			}
			selector, err := metav1.LabelSelectorAsSelector(c.selects)
			must(t, err)
			if selector.Matches(labels.Set(got.labels)) {
				t.Errorf("the controller selects %v", got.labels)
			}
		})
	}
}

// Without the permission to list NetworkPolicies that is said, and nothing is asked. Without that to list Services there is no canary.
func TestACanaryThatMayNotSeeWhatSelects(t *testing.T) {
	forbidden := func(resource string) *fake.Clientset {
		client := fake.NewClientset(&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "backend", UID: "1"},
			Spec: appsv1.DeploymentSpec{Selector: by("app", "backend"), Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "backend"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", EnvFrom: []corev1.EnvFromSource{
					{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}}}}},
			}},
		}, policy("shop", "allow-app", by("app", "backend")))
		client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", nil)
		})
		return client
	}
	c := &Canary{Consumers: &Consumers{Client: forbidden("networkpolicies"), Namespace: "shop", Secret: "db"}}
	plan, notes, asks, err := c.Preflight(t.Context())
	if err != nil || len(plan) == 0 || len(asks) > 0 || len(notes) != 1 || !strings.Contains(notes[0], "list networkpolicies.networking.k8s.io in namespace shop") {
		t.Errorf("%q, %q, %+v, %v", plan, notes, asks, err)
	}
	for _, resource := range []string{"services", "poddisruptionbudgets"} {
		c.Consumers = &Consumers{Client: forbidden(resource), Namespace: "shop", Secret: "db"}
		if _, _, _, err = c.Preflight(t.Context()); err == nil || !strings.Contains(err.Error(), "list "+resource) {
			t.Errorf("%v, want the permission to list %s", err, resource)
		}
	}
	c.Consumers = &Consumers{Client: forbidden("nothing"), Namespace: "shop", Secret: "db"}
	_, _, asks, err = c.Preflight(t.Context())
	if err != nil || len(asks) != 1 || asks[0].Consent != ConsentCanary {
		t.Fatalf("%+v, %v", asks, err)
	}
	for _, want := range []string{"networkpolicy/allow-app", "goes without the labels app", "--canary=false", "canary.kubectl-rotate/db"} {
		if !strings.Contains(asks[0].Note, want) {
			t.Errorf("%q says no word of %q", asks[0].Note, want)
		}
	}
}
