package wiring

import (
	"errors"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// allowedIn is an API server that allows everything in some namespaces and nothing elsewhere, where it must be asked
// under a name.
func allowedIn(t *testing.T, namespaces ...string) *kube.Clients {
	t.Helper()
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		asked := review.Spec.ResourceAttributes
		if asked.Namespace == "" {
			t.Errorf("asked for all namespaces: %+v", asked)
		}
		review.Status.Allowed = slices.Contains(namespaces, asked.Namespace)
		return true, review, nil
	})
	return &kube.Clients{Kube: client}
}

// general are rules that no scope limits.
func general(rules map[string][]rbacv1.PolicyRule) func(*Scope) map[string][]rbacv1.PolicyRule {
	return func(*Scope) map[string][]rbacv1.PolicyRule { return rules }
}

func noLimits() *Scope { return &Scope{} }

// A server in a namespace of its own takes permissions there: a missing one is named before anything changes, and the way
// to the server is not asked for where it does not lead.
func TestPermissionsWhereTheServerIs(t *testing.T) {
	target := config.Target{Secret: config.Secret{Name: "db"}, Postgres: &config.Postgres{Namespace: "data"}}
	all := postgresEngine().rulesIn("shop", target, kube.ViaPortForward, nil)
	_, err := permitted(t.Context(), allowedIn(t, "shop"), "shop", false, general(all), noLimits)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), "kubectl rotate rbac") {
		t.Errorf("%v (%s), want a refusal that says what to do", err, rotation.Hint(err))
	}
	for _, want := range []string{"get pods in namespace data", "list pods in namespace data", "create pods/portforward in namespace data"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q: %v", want, err)
		}
	}
	_, err = permitted(t.Context(), allowedIn(t, "data"), "shop", false, general(all), noLimits)
	if err == nil || strings.Contains(err.Error(), "portforward") {
		t.Errorf("%v, want the permissions of the target alone", err)
	}
	if _, err := permitted(t.Context(), allowedIn(t, "shop", "data"), "shop", false, general(all), noLimits); err != nil {
		t.Error(err)
	}
	target.Postgres.Namespace = "shop" // the target's own, by another way to say it
	if all := postgresEngine().rulesIn("shop", target, kube.ViaPortForward, nil); len(all) != 1 {
		t.Errorf("rules in %d namespaces, want one", len(all))
	}
}

// A Role for --via=auto allows both connections, and a run asks for the first of them alone.
func TestARoleForAutoAllowsBothConnections(t *testing.T) {
	subresources := func(via kube.Via) (all []string) {
		for _, r := range postgresEngine().rulesIn("shop", config.Target{Kind: config.KindPostgres, Postgres: &config.Postgres{Pod: "pg-0"}}, via, nil)[""] {
			for _, resource := range r.Resources {
				if sub, ok := strings.CutPrefix(resource, "pods/"); ok && slices.Contains(r.Verbs, "create") && sub != "eviction" {
					all = append(all, sub)
				}
			}
		}
		slices.Sort(all)
		return all
	}
	for via, want := range map[kube.Via][]string{
		kube.ViaAuto: {"exec", "portforward"}, firstVia(kube.ViaAuto): {"portforward"}, kube.ViaExec: {"exec"}, kube.ViaDirect: nil,
	} {
		if got := subresources(via); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", via, got, want)
		}
	}
}

// Wherever pods are told apart by what makes them, the Role lets a run read that.
func TestARoleReadsWhatMakesPods(t *testing.T) {
	elsewhere := config.Target{Kind: config.KindPostgres, Namespace: "shop", Postgres: &config.Postgres{Namespace: "db", Pod: "pg-0"}}
	jwt := config.Target{Kind: config.KindJWT, Namespace: "shop", JWT: &config.JWT{Sessions: &config.Sessions{Redis: config.Redis{Namespace: "db", Pod: "redis-0"}}}}
	monitored := config.Target{Kind: config.KindPostgres, Namespace: "shop", Gates: config.Gates{
		Prometheus: []config.PrometheusGate{{Prometheus: config.Prometheus{Namespace: "db", Service: "prometheus"}}},
	}}
	for name, rules := range map[string][]rbacv1.PolicyRule{
		"a server elsewhere":          postgresEngine().rulesIn("shop", elsewhere, kube.ViaPortForward, nil)["db"],
		"sessions elsewhere":          jwtEngine().rulesIn("shop", jwt, kube.ViaPortForward, nil)["db"],
		"Prometheus elsewhere":        itemRulesElsewhere(monitored)["db"],
		"the target's own namespace":  postgresEngine().rulesIn("shop", elsewhere, kube.ViaPortForward, nil)[""],
		"signing keys' own namespace": jwtEngine().rulesIn("shop", jwt, kube.ViaPortForward, nil)[""],
	} {
		for _, resource := range []string{"deployments", "replicasets", "statefulsets", "daemonsets"} {
			if !slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
				return slices.Contains(r.APIGroups, "apps") && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, "get") && len(r.ResourceNames) == 0
			}) {
				t.Errorf("%s: no get %s in %v", name, resource, rules)
			}
		}
	}
}
