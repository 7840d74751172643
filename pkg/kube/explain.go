package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Explain names server and context in an error of a request to the API server and adds what to do next: for a
// server that can't be reached, a certificate that is not trusted, credentials that are not accepted. All other
// errors, and those that have a hint, come back as they are.
func (c *Clients) Explain(err error) error {
	if err == nil || rotation.Hint(err) != "" {
		return err
	}
	if apierrors.IsUnauthorized(err) {
		return rotation.WithHint(
			fmt.Errorf("%s does not accept the credentials of user %q: %w", c.where(), c.User, err),
			"log in again, or choose another user of "+c.kubeconfig()+" with --user or --context")
	}
	var request *url.Error
	if errors.As(err, &request) {
		return c.explainTransport(err)
	}
	return err
}

// explainTransport explains an error that is known to have happened on the way to the API server.
func (c *Clients) explainTransport(err error) error {
	for _, explain := range []func(error) (problem, hint string){certificateProblem, pluginProblem} {
		if problem, hint := explain(err); problem != "" {
			return rotation.WithHint(fmt.Errorf("%s %s: %w", c.where(), problem, err), hint+" ("+c.kubeconfig()+")")
		}
	}
	if problem, hint := networkProblem(err); problem != "" {
		return rotation.WithHint(unavailable(fmt.Errorf("%s %s: %w", c.where(), problem, err)), hint)
	}
	return err
}

// where names the server as the reader knows it.
func (c *Clients) where() string {
	if c.Context == "" {
		return "server " + c.Server
	}
	return fmt.Sprintf("server %s (context %q)", c.Server, c.Context)
}

// kubeconfig names the file, for hints.
func (c *Clients) kubeconfig() string {
	if c.origin == "" {
		return "the kubeconfig"
	}
	return c.origin
}

func certificateProblem(err error) (problem, hint string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "has a certificate that the kubeconfig's authority did not sign",
			"the cluster may have been rebuilt, or something intercepts TLS: get a fresh kubeconfig, or compare certificate-authority-data"
	case errors.As(err, &name):
		return "has a certificate for another name",
			"use a name that the certificate holds, or give it with --tls-server-name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that is not valid now",
			"look at the clock of this machine first, then have the cluster's certificates renewed"
	case errors.As(err, &invalid):
		return "has a certificate that is not valid", "have the cluster's certificate looked at"
	}
	return "", ""
}

func networkProblem(err error) (problem, hint string) {
	const look = "see whether `kubectl version` gets an answer with the same --context; a VPN or proxy may be missing"
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "has a name that does not resolve", look
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections", "see whether the cluster is running and the port is right"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "does not answer in time", look
	case errors.As(err, new(*net.OpError)):
		return "can't be reached", look
	}
	return "", ""
}

// pluginProblem explains a credential plugin that could not run; client-go has no type for it.
func pluginProblem(err error) (problem, hint string) {
	if strings.Contains(err.Error(), "getting credentials: exec:") {
		return "gets its credentials from a program that failed",
			"run that program by hand (it stands under users in the kubeconfig), or log in again"
	}
	return "", ""
}
