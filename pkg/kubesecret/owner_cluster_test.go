package kubesecret

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// TestOwnersOnCluster makes Secrets as those do who keep them: what the API server notes of that is enough to know
// them by, a rotation is refused with their name and the next move, and nothing is written.
func TestOwnersOnCluster(t *testing.T) {
	client := cluster(t)
	namespace := namespace(t, client)
	yes := true
	ownedBy := func(kind string) func(*corev1.Secret) {
		return func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: kind, Name: "db", UID: "1", Controller: &yes}}
		}
	}
	for who, c := range map[string]struct {
		manager string
		applies bool // on the server
		edit    func(*corev1.Secret)
		says    string
		hint    string
	}{
		"external-secrets-owns":   {"externalsecrets.external-secrets.io/db", true, ownedBy("ExternalSecret"), "ExternalSecret db", "at the provider"},
		"external-secrets-merges": {"externalsecrets.external-secrets.io/db", true, func(*corev1.Secret) {}, "External Secrets", "at the provider"},
		"sealed-secrets":          {"controller", false, ownedBy("SealedSecret"), "SealedSecret db", "seal a new value"},
		"helm":                    {"helm", false, annotated("meta.helm.sh/release-name", "backend"), `Helm release "backend"`, "existingSecret"},
		"argocd-applies":          {"argocd-controller", true, annotated("argocd.argoproj.io/tracking-id", "shop"), `Argo CD "shop"`, "out of the repository"},
		"argocd-as-kubectl":       {"argocd-controller", false, annotated(corev1.LastAppliedConfigAnnotation, applied), "Argo CD", "out of the repository"},
		"flux-kustomize":          {"kustomize-controller", true, labelled("kustomize.toolkit.fluxcd.io/name", "apps"), `Flux Kustomization "apps"`, "out of the repository"},
		"flux-helm":               {"helm-controller", false, labelled("helm.toolkit.fluxcd.io/name", "backend"), `Flux HelmRelease "backend"`, "existingSecret"},
	} {
		t.Run(who, func(t *testing.T) {
			secrets := client.CoreV1().Secrets(namespace)
			made := appSecret()
			made.Namespace, made.Name = namespace, who
			c.edit(made)
			var err error
			if c.applies {
				made.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
				text, bad := json.Marshal(made)
				must(t, bad)
				made, err = secrets.Patch(t.Context(), who, types.ApplyPatchType, text, metav1.PatchOptions{FieldManager: c.manager})
			} else {
				made, err = secrets.Create(t.Context(), made, metav1.CreateOptions{FieldManager: c.manager})
			}
			must(t, err)
			s := newStore(client.CoreV1())
			s.Namespace, s.Name = namespace, who
			_, err = s.Preflight(t.Context())
			wantError(t, err, namespace+"/"+who+" is written by "+c.says, "would take a rotated value back")
			if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), c.hint) {
				t.Errorf("%v (%s), want a refusal with %q", err, rotation.Hint(err), c.hint)
			}
			found, err := secrets.Get(t.Context(), who, metav1.GetOptions{})
			must(t, err)
			if found.ResourceVersion != made.ResourceVersion {
				t.Error("the Secret was written")
			}
			if _, err := secrets.Get(t.Context(), ledger.Record(who), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("%v: a record was begun", err)
			}
		})
	}
}
