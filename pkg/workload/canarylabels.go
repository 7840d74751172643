package workload

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// ConsentCanary is the kind of consent to begin with a canary that a NetworkPolicy may keep from the server.
const ConsentCanary = "canary"

// selection is an object that selects pods by their labels.
type selection struct {
	by    string // "service/web"
	where string // its namespace
	labels.Selector
}

// mostWeighed is how many labels are weighed against each other: the number of choices doubles with each.
const mostWeighed = 12

// leaveOut chooses which labels of a pod its copy goes without. The copy must not be selected by any of avoid, as far as that is possible.
// Then it is selected by as many of follow as the pod is. Then it has as few labels as possible: others may select by those too.
func leaveOut(pod map[string]string, avoid, follow []selection) (left map[string]string) {
	var keys []string
	for _, s := range avoid {
		if !s.Matches(labels.Set(pod)) {
			continue
		}
		requirements, _ := s.Requirements()
		for _, r := range requirements {
			if _, has := pod[r.Key()]; has && !slices.Contains(keys, r.Key()) {
				keys = append(keys, r.Key())
			}
		}
	}
	slices.Sort(keys)
	keys = keys[:min(len(keys), mostWeighed)]
	best := [3]int{-1}
	for choice := range 1 << len(keys) {
		some := maps.Clone(pod)
		for i, key := range keys {
			if choice>>i&1 == 1 {
				delete(some, key)
			}
		}
		cost := [3]int{len(selecting(avoid, some)), len(differing(follow, pod, some)), -bits.OnesCount(uint(choice))}
		if best[0] < 0 || slices.Compare(cost[:], best[:]) < 0 {
			best, left = cost, some
		}
	}
	return left
}

// selecting are those of all that select a pod with these labels.
func selecting(all []selection, pod map[string]string) (found []selection) {
	for _, s := range all {
		if s.Matches(labels.Set(pod)) {
			found = append(found, s)
		}
	}
	return found
}

// differing are those of all that select only one of two pods.
func differing(all []selection, one, other map[string]string) (found []selection) {
	for _, s := range all {
		if s.Matches(labels.Set(one)) != s.Matches(labels.Set(other)) {
			found = append(found, s)
		}
	}
	return found
}

// canaryLabels are the labels of the copy of a consumer's pod, and what it means for the copy that it lacks the others.
type canaryLabels struct {
	labels map[string]string
	out    []string // keys that it goes without
	counts []string // what selects it all the same
	barred []string // the NetworkPolicies that treat it in another way, with why
	unread []string // namespaces whose NetworkPolicies could not be read
}

// labelsOf chooses the labels of the copy of a pod of that controller.
func (c *Canary) labelsOf(ctx context.Context, of controller) (chosen canaryLabels, err error) {
	avoid, err := c.avoided(ctx, of)
	if err != nil {
		return chosen, err
	}
	var follow []selection
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values([]string{c.Consumers.Namespace, c.serverNamespace()}))) {
		found, err := c.followed(ctx, namespace)
		switch {
		case apierrors.IsForbidden(err):
			chosen.unread = append(chosen.unread, namespace)
		case err != nil:
			return chosen, c.Consumers.explain("list", "networkpolicies in namespace "+namespace+", for a canary", err)
		}
		follow = append(follow, found...)
	}
	pod := of.template.Labels
	chosen.labels = leaveOut(pod, avoid, follow)
	if chosen.labels == nil {
		chosen.labels = map[string]string{}
	}
	for _, key := range slices.Sorted(maps.Keys(pod)) {
		if _, has := chosen.labels[key]; !has {
			chosen.out = append(chosen.out, key)
		}
	}
	for _, s := range selecting(avoid, chosen.labels) {
		chosen.counts = append(chosen.counts, s.by)
	}
	chosen.barred = c.barred(pod, chosen.labels, avoid, follow)
	return chosen, nil
}

// barred names the NetworkPolicies that treat the copy in another way than the pod. One of the same namespace that selects by the
// canary's own label settles that.
func (c *Canary) barred(pod, left map[string]string, avoid, follow []selection) (lines []string) {
	marked := maps.Clone(left)
	marked[c.label()] = "1"
	settled := map[string]bool{}
	for _, s := range selecting(follow, marked) {
		requirements, _ := s.Requirements()
		settled[s.where] = settled[s.where] || slices.ContainsFunc(requirements, func(r labels.Requirement) bool { return r.Key() == c.label() })
	}
	for _, s := range differing(follow, pod, left) {
		if settled[s.where] {
			continue
		}
		why := ""
		if also := sharing(s, selecting(avoid, pod)); len(also) > 0 {
			why = ", as " + strings.Join(also, " and ") + " does"
		}
		line := fmt.Sprintf("%s in namespace %s selects the pods of the consumer by %s%s", s.by, s.where, s.Selector, why)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// sharing names those of all that select by a label that s selects by too.
func sharing(s selection, all []selection) (names []string) {
	keys := map[string]bool{}
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		keys[r.Key()] = true
	}
	for _, other := range all {
		requirements, _ := other.Requirements()
		if slices.ContainsFunc(requirements, func(r labels.Requirement) bool { return keys[r.Key()] }) && !slices.Contains(names, other.by) {
			names = append(names, other.by)
		}
	}
	return names
}

// avoided are the objects that must not select a canary: its consumer, Services and disruption budgets.
func (c *Canary) avoided(ctx context.Context, of controller) (all []selection, err error) {
	at := c.Consumers
	if of.selector != nil {
		all = append(all, selection{of.id(), at.Namespace, of.selector})
	}
	err = pages(ctx, at, "services", at.Client.CoreV1().Services(at.Namespace).List, func(l *corev1.ServiceList) {
		for _, s := range l.Items {
			if len(s.Spec.Selector) > 0 { // none selects nothing
				all = append(all, selection{"service/" + s.Name, s.Namespace, labels.SelectorFromSet(s.Spec.Selector)})
			}
		}
	})
	if err != nil {
		return nil, err
	}
	err = pages(ctx, at, "poddisruptionbudgets", at.Client.PolicyV1().PodDisruptionBudgets(at.Namespace).List, func(l *policyv1.PodDisruptionBudgetList) {
		for _, b := range l.Items {
			if s, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil {
				all = append(all, selection{"poddisruptionbudget/" + b.Name, b.Namespace, s})
			}
		}
	})
	return all, err
}

// followed are the selectors of a namespace's NetworkPolicies that may select a consumer's pod: those that the policies are for,
// where that is the consumers' namespace, and those of whom they let in and out.
func (c *Canary) followed(ctx context.Context, namespace string) (all []selection, err error) {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.Consumers.Client.NetworkingV1().NetworkPolicies(namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			all = append(all, c.selectorsOf(&page.Items[i])...)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return all, nil
		}
	}
}

// selectorsOf are the selectors of one policy that may select a consumer's pod. An empty one makes no difference between pods.
func (c *Canary) selectorsOf(p *networkingv1.NetworkPolicy) (all []selection) {
	add := func(s *metav1.LabelSelector) {
		if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
			return
		}
		if parsed, err := metav1.LabelSelectorAsSelector(s); err == nil {
			all = append(all, selection{"networkpolicy/" + p.Name, p.Namespace, parsed})
		}
	}
	if p.Namespace == c.Consumers.Namespace {
		add(&p.Spec.PodSelector)
	}
	for _, rule := range p.Spec.Ingress {
		for _, peer := range rule.From {
			add(peer.PodSelector)
		}
	}
	for _, rule := range p.Spec.Egress {
		for _, peer := range rule.To {
			add(peer.PodSelector)
		}
	}
	return all
}

func (c *Canary) serverNamespace() string {
	if c.ServerNamespace == "" {
		return c.Consumers.Namespace
	}
	return c.ServerNamespace
}

// Preflight says what is copied, and how; what could not be read; and what the operator has to agree to: a canary that a NetworkPolicy
// may keep from the server would fail for that.
func (c *Canary) Preflight(ctx context.Context) (plan, notes []string, asks []rotation.Item, err error) {
	of, err := c.model(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	chosen, err := c.labelsOf(ctx, of)
	if err != nil {
		return nil, nil, nil, err
	}
	if plan, err = c.Plan(ctx); err != nil {
		return nil, nil, nil, err
	}
	for _, namespace := range chosen.unread {
		notes = append(notes, fmt.Sprintf("the canary: whether a NetworkPolicy keeps it from the server was not checked: "+
			"that requires the permission to list networkpolicies.networking.k8s.io in namespace %s", namespace))
	}
	for _, by := range chosen.counts {
		notes = append(notes, fmt.Sprintf("the canary: %s counts it too, since it selects every pod", by))
	}
	if len(chosen.barred) > 0 {
		asks = append(asks, rotation.Item{
			Name: "canary", Phase: rotation.ToDo, Consent: ConsentCanary,
			Note: fmt.Sprintf("the network may keep the canary from the server: it goes without the labels %s; %s. "+
				"Add a policy for pods with the label %s, or leave the canary out with --canary=false",
				strings.Join(chosen.out, ", "), strings.Join(chosen.barred, "; "), c.label()),
		})
	}
	return plan, notes, asks, nil
}
