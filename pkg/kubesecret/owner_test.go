package kubesecret

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// wrote has manager own the given keys of the data.
func wrote(manager string, keys ...string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		fields := `{"f:data":{".":{},"f:` + strings.Join(keys, `":{},"f:`) + `":{}}}`
		s.ManagedFields = append(s.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(fields)})
	}
}

func annotated(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, key, value) }
}

func labelled(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { metav1.SetMetaDataLabel(&s.ObjectMeta, key, value) }
}

func owned(kind string, controller bool) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "db", Controller: &controller}}
	}
}

const (
	applied      = `{"data":{"password":"dmFsdWUtb2YtdjE="}}`
	appliedOther = `{"data":{"ca.crt":"eA=="}}`
)

func TestOwner(t *testing.T) {
	type edits []func(*corev1.Secret)
	for _, c := range []struct {
		name  string
		edits edits
		want  string // the owner's name, "" for none
		sign  string
	}{
		{"nobody", nil, "", ""},
		{"kubectl create", edits{wrote("kubectl-create", "password")}, "", ""},
		{"kubectl apply", edits{wrote("kubectl-client-side-apply", "password"), annotated(corev1.LastAppliedConfigAnnotation, applied)}, "", ""},
		{"a former rotation", edits{wrote(ledger.FieldManager, "password")}, "", ""},
		{"an operator's object", edits{owned("PostgresCluster", true)}, "PostgresCluster db", "ownerReferences"},
		{"External Secrets, as the owner", edits{owned("ExternalSecret", true)}, "ExternalSecret db", "ownerReferences"},
		{"External Secrets, merging", edits{wrote("externalsecrets.external-secrets.io/db", "password")}, "External Secrets", "of key password"},
		{"External Secrets, merging another key", edits{wrote("externalsecrets.external-secrets.io/db", "ca.crt")}, "", ""},
		{"an owner for garbage collection only", edits{owned("ConfigMap", false)}, "", ""},
		{"Helm wrote the password", edits{wrote("helm", "password"), annotated("meta.helm.sh/release-name", "backend")},
			`Helm release "backend"`, `field manager "helm" of key password`},
		{"Helm made the Secret, not the password", edits{wrote("helm", "ca.crt"), annotated("meta.helm.sh/release-name", "backend")}, "", ""},
		{"Flux by Helm", edits{wrote("helm-controller", "password"), annotated("meta.helm.sh/release-name", "x"), labelled("helm.toolkit.fluxcd.io/name", "backend")},
			`Flux HelmRelease "backend"`, "helm-controller"},
		{"Flux by Kustomize", edits{wrote("kustomize-controller", "password"), labelled("kustomize.toolkit.fluxcd.io/name", "apps")},
			`Flux Kustomization "apps"`, "kustomize-controller"},
		{"Argo CD, applying on the server", edits{wrote("argocd-controller", "password"), annotated("argocd.argoproj.io/tracking-id", "app:/Secret:x")},
			`Argo CD "app:/Secret:x"`, "argocd-controller"},
		{"Argo CD, applying as kubectl does, before a rotation of ours", edits{wrote(ledger.FieldManager, "password"),
			annotated("argocd.argoproj.io/tracking-id", "app"), annotated(corev1.LastAppliedConfigAnnotation, applied)},
			`Argo CD "app"`, "manifest applied last"},
		{"Argo CD, without the password in its manifest", edits{wrote("kubectl-edit", "password"),
			annotated("argocd.argoproj.io/tracking-id", "app"), annotated(corev1.LastAppliedConfigAnnotation, appliedOther)}, "", ""},
		{"cert-manager", edits{annotated("cert-manager.io/certificate-name", "platform-tls")}, `cert-manager Certificate "platform-tls"`, "cert-manager.io/certificate-name"},
		{"Vault Secrets Operator", edits{labelled("secrets.hashicorp.com/vso-ownerRefUID", "1")}, "Vault Secrets Operator", "vso-ownerRefUID"},
		{"Terraform", edits{wrote("Terraform", "password")}, "Terraform", "Terraform"},
		{"a stranger", edits{wrote("custom-tool", "password")}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			secret := appSecret()
			for _, edit := range c.edits {
				edit(secret)
			}
			o := ownerOf(secret, []string{"username", "password"})
			switch {
			case o == nil && c.want != "":
				t.Errorf("no owner, want %q", c.want)
			case o != nil && (o.Name != c.want || !strings.Contains(o.Sign, c.sign) || o.Hint == ""):
				t.Errorf("the owner is %+v, want %q by %q", *o, c.want, c.sign)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name  string
		edit  func(*corev1.Secret)
		want  []string // in the error
		notes []string // each in one note
	}{
		{"nothing to say", func(*corev1.Secret) {}, nil, nil},
		{"immutable", func(s *corev1.Secret) { s.Immutable = &yes }, []string{"default/postgresql-credentials is immutable"}, nil},
		{"managed", wrote("helm", "password"), []string{"Helm release", "take a rotated value back"}, nil},
		{"a stranger wrote it", wrote("custom-tool", "password"), nil, []string{`"custom-tool"`}},
		{"tracked, and not theirs", annotated("meta.helm.sh/release-name", "backend"), nil, []string{`Helm release "backend"`}},
		{"the old password in an annotation", annotated(corev1.LastAppliedConfigAnnotation, applied), nil, []string{"readable form"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			secret := appSecret()
			c.edit(secret)
			_, client := serve(t, secret)
			notes, err := newStore(client.CoreV1()).Preflight(t.Context())
			if c.want != nil {
				wantError(t, err, c.want...)
				if !errors.Is(err, rotation.ErrRefused) || rotation.Hint(err) == "" {
					t.Errorf("%v: want a refusal with a hint", err)
				}
				return
			}
			must(t, err)
			if len(notes) != len(c.notes) {
				t.Fatalf("the notes are %q, want %d", notes, len(c.notes))
			}
			for i, text := range c.notes {
				if !strings.Contains(notes[i], text) || strings.Contains(notes[i], "value-of") {
					t.Errorf("note %q, want %q in it", notes[i], text)
				}
			}
		})
	}
}
