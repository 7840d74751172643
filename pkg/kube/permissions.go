package kube

import (
	"context"
	"fmt"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Permission is one thing that RBAC allows or does not.
type Permission struct {
	Verb        string // get, list, create, …
	Group       string // API group, "" for core
	Resource    string // plural: pods, secrets
	Subresource string // portforward, exec, status, or ""
	Namespace   string // "" means all namespaces, or a resource that has none
	Name        string // "" means every object
}

// String names p as an administrator would grant it: verb, resource, name and namespace.
func (p Permission) String() string {
	s := p.Verb + " " + p.Resource
	if p.Group != "" {
		s += "." + p.Group
	}
	if p.Subresource != "" {
		s += "/" + p.Subresource
	}
	if p.Name != "" {
		s += fmt.Sprintf(" %q", p.Name)
	}
	if p.Namespace != "" {
		s += " in namespace " + p.Namespace
	}
	return s
}

// Missing asks the API server which of needed we do not have, all at once, and gives those in needed's order.
func (c *Clients) Missing(ctx context.Context, needed []Permission) ([]Permission, error) {
	allowed := make([]bool, len(needed))
	errs := make([]error, len(needed))
	var asking sync.WaitGroup
	for i, p := range needed {
		asking.Go(func() { allowed[i], errs[i] = c.may(ctx, p) })
	}
	asking.Wait()
	var missing []Permission
	for i, p := range needed {
		if errs[i] != nil {
			return nil, fmt.Errorf("asking whether we may %s: %w", p, c.Explain(errs[i]))
		}
		if !allowed[i] {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

func (c *Clients) may(ctx context.Context, p Permission) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource,
			Namespace: p.Namespace, Name: p.Name,
		},
	}}
	answer, err := c.Kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}
