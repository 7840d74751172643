package kubesecret

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
)

// controller is a program that keeps Secrets as a source outside of them says, and takes other values back.
type controller struct {
	name     string
	hint     string   // what to do instead of rotating the Secret
	managers []string // its field managers; a * at the end stands for any rest
	marks    []string // the annotations and labels by which it knows its Secrets, the one that names its object first
	titled   bool     // the first mark's value is the name of its object
	whole    bool     // a mark says that all of the data is its own
}

const (
	hintRepository = "take the value out of the repository, then rotate"
	hintChart      = "let the chart refer to one that it does not make (often called existingSecret), then rotate that"
	hintProvider   = "change the value at the provider: rotating through External Secrets is not supported yet"
	hintIssuer     = "have cert-manager renew it: `cmctl renew` with the name of the Certificate"
	hintCopy       = "rotate the one that this is a copy of"
)

// controllers are those known by name. Their order is that in which they are looked for: what the label of Helm
// says is less than what Flux, which runs Helm, says.
var controllers = []controller{
	{name: "Flux HelmRelease", hint: hintChart, titled: true,
		managers: []string{"helm-controller"}, marks: []string{"helm.toolkit.fluxcd.io/name"}},
	{name: "Flux Kustomization", hint: hintRepository, titled: true,
		managers: []string{"kustomize-controller"}, marks: []string{"kustomize.toolkit.fluxcd.io/name"}},
	{name: "Argo CD", hint: hintRepository, titled: true,
		managers: []string{"argocd*"}, marks: []string{"argocd.argoproj.io/tracking-id"}},
	{name: "Helm release", hint: hintChart, titled: true,
		managers: []string{"helm", "Helm"}, marks: []string{"meta.helm.sh/release-name"}},
	{name: "Fleet", hint: hintRepository,
		managers: []string{"fleetagent*", "fleet-agent*"}, marks: []string{"objectset.rio.cattle.io/id"}},
	{name: "External Secrets", hint: hintProvider,
		managers: []string{"externalsecrets.external-secrets.io*", "external-secrets*"}, marks: []string{"reconcile.external-secrets.io/managed"}},
	{name: "cert-manager Certificate", hint: hintIssuer, titled: true, whole: true,
		managers: []string{"cert-manager*"}, marks: []string{"cert-manager.io/certificate-name"}},
	{name: "Vault Secrets Operator", hint: "rotate it in Vault", whole: true,
		managers: []string{"vault-secrets-operator*"}, marks: []string{"secrets.hashicorp.com/vso-ownerRefUID"}},
	{name: "Sealed Secrets", hint: "seal a new value, or rotate a Secret that is not sealed",
		managers: []string{"sealed-secrets*"}, marks: []string{"sealedsecrets.bitnami.com/managed"}},
	{name: "Secrets Store CSI driver", hint: "rotate it at its provider", whole: true,
		managers: []string{"secrets-store-csi*"}, marks: []string{"secrets-store.csi.k8s.io/managed"}},
	{name: "Reflector", hint: hintCopy, titled: true, whole: true, marks: []string{"reflector.v1.k8s.emberstack.com/reflects"}},
	{name: "Replicator", hint: hintCopy, whole: true,
		marks: []string{"replicator.v1.mittwald.de/replicate-from", "replicator.v1.mittwald.de/replicated-at"}},
	{name: "Terraform", hint: "have Terraform ignore changes of its data (lifecycle.ignore_changes), then rotate",
		managers: []string{"Terraform*", "terraform*", "HashiCorp"}},
	{name: "Pulumi", hint: "have Pulumi ignore changes of its data (ignoreChanges), then rotate",
		managers: []string{"pulumi*"}, marks: []string{"pulumi.com/autonamed"}},
}

// people are field managers that write once, on somebody's word.
var people = []string{ledger.FieldManager, "kubectl*", "before-first-apply", "oc", "k9s*", "Mozilla*"}

// mark is the annotation or label by which c knows app, or "".
func (c controller) mark(app *corev1.Secret) string {
	for _, mark := range c.marks {
		if app.Annotations[mark] != "" || app.Labels[mark] != "" {
			return mark
		}
	}
	return ""
}

// title is c with the name of the object that app comes from, where app says it.
func (c controller) title(app *corev1.Secret) string {
	if mark := c.mark(app); mark != "" && c.titled && mark == c.marks[0] {
		return fmt.Sprintf("%s %q", c.name, app.Annotations[mark]+app.Labels[mark])
	}
	return c.name
}

// matches says whether name is one of patterns.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		start, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, start)
	})
}
