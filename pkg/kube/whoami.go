package kube

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WhoAmI gives the user name that the API server knows us by. A server that does not answer the question (too
// old, or not allowed) leaves the kubeconfig's name.
func (c *Clients) WhoAmI(ctx context.Context) (string, error) {
	review, err := c.Kube.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
		return c.User, nil
	case err != nil:
		return "", c.Explain(err)
	case review.Status.UserInfo.Username == "":
		return c.User, nil
	}
	return review.Status.UserInfo.Username, nil
}
