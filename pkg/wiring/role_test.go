package wiring

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// shop is a namespace with a consumer, a workload that is none, and a server in a StatefulSet.
func shop() []runtime.Object {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}
	}
	reading := func(secret string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", EnvFrom: []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		}}}}}
	}
	controls, two := true, int32(2)
	server := func(name string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: meta(name), Spec: reading("none").Spec}
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "postgresql", UID: "sts", Controller: &controls}}
		p.Labels = map[string]string{"app": "postgresql"}
		return p
	}
	set := &appsv1.StatefulSet{ObjectMeta: meta("postgresql"), Spec: appsv1.StatefulSetSpec{
		Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "postgresql"}}, Template: reading("none"),
	}}
	set.UID = "sts"
	backend := &appsv1.Deployment{ObjectMeta: meta("backend"), Spec: appsv1.DeploymentSpec{Template: reading("db")}}
	other := &appsv1.Deployment{ObjectMeta: meta("other"), Spec: appsv1.DeploymentSpec{Template: reading("something")}}
	backend.UID, other.UID = "backend", "other"
	return []runtime.Object{set, backend, other, server("postgresql-0"), server("postgresql-1")}
}

// allowing is an API server that goes by these rules, as RBAC does, in the namespace shop.
func allowing(rules []rbacv1.PolicyRule, objects ...runtime.Object) *kube.Clients {
	client := fake.NewClientset(objects...)
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		asked := review.Spec.ResourceAttributes
		resource := asked.Resource
		if asked.Subresource != "" {
			resource += "/" + asked.Subresource
		}
		review.Status.Allowed = asked.Namespace == "shop" && slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Verbs, asked.Verb) && slices.Contains(r.Resources, resource) && slices.Contains(r.APIGroups, asked.Group) &&
				(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, asked.Name))
		})
		return true, review, nil
	})
	return &kube.Clients{Kube: client, Namespace: "shop"}
}

func shopTarget() config.Target {
	return config.Target{
		Name: "db", Kind: config.KindPostgres, Namespace: "shop", Secret: config.Secret{Name: "db"},
		Postgres: &config.Postgres{Pod: "postgresql-0", Port: 5432},
	}
}

// shopRole is what rbac prints for the target, in one Role or two.
func shopRole(t *testing.T, split bool, objects ...runtime.Object) (roles []rbacv1.Role, text string) {
	t.Helper()
	limits := ScopeOf(t.Context(), allowing(nil, objects...), shopTarget(), kube.ViaPortForward)
	var out bytes.Buffer
	if err := PrintRoles(report.NewPrinter(&out), Granted(nil, shopTarget(), kube.ViaPortForward, "", false, limits), limits.Unknown, split); err != nil {
		t.Fatal(err)
	}
	for one := range strings.SplitSeq(out.String(), "---\n") {
		var role rbacv1.Role
		if err := yaml.UnmarshalStrict([]byte(one), &role); err != nil {
			t.Fatalf("%v in:\n%s", err, one)
		}
		roles = append(roles, role)
	}
	return roles, out.String()
}

// mayShop says whether somebody with these rules may rotate the target, or only read.
func mayShop(t *testing.T, reads bool, rules []rbacv1.PolicyRule, objects ...runtime.Object) (lacking []kube.Permission, err error) {
	t.Helper()
	clients := allowing(rules, objects...)
	return permitted(t.Context(), clients, "shop", reads, func(s *Scope) map[string][]rbacv1.PolicyRule {
		return postgresEngine().rulesIn("shop", shopTarget(), kube.ViaPortForward, s)
	}, func() *Scope { return ScopeOf(t.Context(), clients, shopTarget(), kube.ViaPortForward) })
}

// The Role names the consumers, the server's pods and what is read. It is enough for what a run asks for, and a consumer that
// came later is named as missing.
func TestTheRoleNamesWhatThereIs(t *testing.T) {
	roles, text := shopRole(t, false, shop()...)
	if len(roles) != 1 || roles[0].Name != "kubectl-rotate" || roles[0].Namespace != "shop" {
		t.Fatalf("roles: %s", text)
	}
	named := map[string][]string{}
	for _, r := range roles[0].Rules {
		for _, resource := range r.Resources {
			for _, verb := range r.Verbs {
				key := verb + " " + resource
				if len(r.ResourceNames) == 0 {
					named[key] = append(named[key], "*")
				}
				named[key] = append(named[key], r.ResourceNames...)
			}
		}
	}
	for key, want := range map[string][]string{
		"patch deployments":       {"backend"},
		"patch statefulsets":      nil, // the server is never moved
		"patch cronjobs":          nil,
		"create pods/portforward": {"postgresql-0", "postgresql-1"},
		"patch secrets":           {"db", "db-rotate"},
		"update leases":           {"db-rotate"},
	} {
		if !slices.Equal(named[key], want) {
			t.Errorf("%s: %q, want %q", key, named[key], want)
		}
	}
	if got := named["get configmaps"]; !slices.Contains(got, "settings") || slices.Contains(got, "*") {
		t.Errorf("get configmaps: %q", got)
	}
	for _, want := range []string{"any code as any ServiceAccount", "as good as an administrator of the namespace", "RBAC cannot limit create", "RBAC cannot limit list and watch",
		"most pods get a new name"} {
		if !strings.Contains(text, want) {
			t.Errorf("no comment says %q:\n%s", want, text)
		}
	}

	if _, err := mayShop(t, false, roles[0].Rules, shop()...); err != nil {
		t.Error(err)
	}
	later := shop()[1].(*appsv1.Deployment)
	later.Name, later.UID = "worker", "worker"
	_, err := mayShop(t, false, roles[0].Rules, append(shop(), later)...)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), `patch deployments.apps "worker" in namespace shop`) ||
		strings.Contains(err.Error(), "backend") || !strings.Contains(rotation.Hint(err), "print the Role anew with `kubectl rotate rbac`") {
		t.Errorf("%v (%s)", err, rotation.Hint(err))
	}
}

// The reader's Role is enough to look, and no more; with the changer's it is enough to rotate.
func TestTheRoleInTwo(t *testing.T) {
	roles, text := shopRole(t, true, shop()...)
	if len(roles) != 2 || roles[0].Name != readerRole || roles[1].Name != changerRole {
		t.Fatalf("roles: %s", text)
	}
	for _, r := range roles[0].Rules {
		for _, verb := range r.Verbs {
			if verb != "get" && verb != "list" && verb != "watch" && !slices.Equal(r.Resources, []string{"pods/portforward"}) {
				t.Errorf("the reader may %s %v", verb, r.Resources)
			}
		}
	}
	for _, r := range roles[1].Rules {
		if slices.Contains(r.Verbs, "get") || slices.Contains(r.Verbs, "list") {
			t.Errorf("the changer's Role repeats %v", r)
		}
	}
	reader := roles[0].Rules
	lacking, err := mayShop(t, true, reader, shop()...)
	if err != nil || !strings.Contains(MissingText(lacking), `patch deployments.apps "backend"`) || strings.Contains(MissingText(lacking), "get ") {
		t.Errorf("to look: %v, lacking:%s", err, MissingText(lacking))
	}
	if _, err := mayShop(t, false, reader, shop()...); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), `patch secrets "db"`) {
		t.Errorf("to rotate: %v, want a refusal", err)
	}
	if lacking, err := mayShop(t, false, slices.Concat(reader, roles[1].Rules), shop()...); err != nil || len(lacking) > 0 {
		t.Errorf("with both: %v, %v", lacking, err)
	}
	if _, err := mayShop(t, true, roles[1].Rules, shop()...); !errors.Is(err, rotation.ErrRefused) || strings.Contains(err.Error(), "patch ") {
		t.Errorf("who may not read looks: %v, want a refusal that names what reading takes", err)
	}
}

// What the cluster does not tell is not limited, and the Role says why. What it tells stays within the comment.
func TestTheRoleSaysWhatItCouldNotLimit(t *testing.T) {
	controls := true
	server := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "postgresql-0", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "postgresql-5d8", UID: "rs", Controller: &controls},
	}}}
	roles, text := shopRole(t, false, server)
	if !strings.Contains(text, "# Not limited to names: the server's pods in namespace shop: each pod of ReplicaSet has a new name") {
		t.Errorf("not said:\n%s", text)
	}
	for _, r := range roles[0].Rules {
		if slices.Contains(r.Resources, "pods/portforward") && len(r.ResourceNames) > 0 {
			t.Errorf("the way is limited to %v", r.ResourceNames)
		}
	}
	_, text = shopRole(t, false)
	if !strings.Contains(text, "there is no pod shop/postgresql-0") {
		t.Errorf("not said:\n%s", text)
	}
	var out bytes.Buffer
	err := PrintRoles(report.NewPrinter(&out), []rbacv1.Role{{Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}}},
		[]string{"all: no\nrules: [{verbs: ['*']}]\u2028rules:\x1b[2J"}, false)
	var role rbacv1.Role
	if err != nil || yaml.UnmarshalStrict(out.Bytes(), &role) != nil || len(role.Rules) != 1 || role.Rules[0].Verbs[0] != "get" || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}
