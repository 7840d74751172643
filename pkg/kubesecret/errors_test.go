package kubesecret

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestLoadErrors(t *testing.T) {
	broken := appSecret()
	broken.Annotations = map[string]string{ledger.AnnotationRecord: "{"}
	noPassword := appSecret()
	delete(noPassword.Data, "password")
	foreign := appSecret()
	foreign.Name = ledger.Record(foreign.Name)
	similar := appSecret()
	similar.Name = "postgres-credentials"
	for _, c := range []struct {
		name    string
		secrets []*corev1.Secret
		want    []string // in the error
		hint    []string
		refused bool
	}{
		{"no such Secret", []*corev1.Secret{similar},
			[]string{"secret default/postgresql-credentials does not exist"}, []string{"postgres-credentials", "-n"}, true},
		{"no such key", []*corev1.Secret{noPassword},
			[]string{"default/postgresql-credentials", "no username and password"}, []string{"ca.crt, url, username"}, true},
		{"the second Secret is somebody else's", []*corev1.Secret{appSecret(), foreign},
			[]string{"postgresql-credentials-rotate is not a record"}, []string{"rename"}, true},
		{"an annotation edited by hand", []*corev1.Secret{broken},
			[]string{"default/postgresql-credentials", ledger.AnnotationRecord}, []string{"edited by hand"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := serve(t, c.secrets...)
			_, err := newStore(client.CoreV1()).Load(t.Context())
			wantError(t, err, c.want...)
			for _, text := range c.hint {
				if !strings.Contains(rotation.Hint(err), text) {
					t.Errorf("the hint is %q, want %q in it", rotation.Hint(err), text)
				}
			}
			if errors.Is(err, rotation.ErrRefused) != c.refused {
				t.Errorf("refused is %v, want %v", !c.refused, c.refused)
			}
		})
	}
}

func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q, want %q in it", err, text)
		}
	}
}

func TestAPIErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		want   error
	}{
		{"too many requests", http.StatusTooManyRequests, rotation.ErrUnavailable},
		{"internal error", http.StatusInternalServerError, rotation.ErrUnavailable},
		{"unavailable", http.StatusServiceUnavailable, rotation.ErrUnavailable},
		{"conflict", http.StatusConflict, rotation.ErrConflict},
		{"forbidden", http.StatusForbidden, nil},
		{"invalid", http.StatusUnprocessableEntity, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := serve(t, appSecret())
			s := newStore(client.CoreV1())
			begun(t, s)
			rev := load(t, s).Revision
			server.refuse = func(verb, _ string) (int, string) {
				if verb == "patch" {
					return c.status, "a webhook says: username must not be backend_v2, password must not be value-of-v2 (" +
						base64.StdEncoding.EncodeToString([]byte("value-of-v2")) + ")"
				}
				return 0, ""
			}
			err := s.Publish(t.Context(), rev, only(2))
			wantError(t, err, "patch", "secrets", "postgresql-credentials", "namespace default")
			for _, known := range []error{rotation.ErrUnavailable, rotation.ErrConflict} {
				if errors.Is(err, known) != (c.want == known) {
					t.Errorf("%v: that it is %q is not as it should be", err, known)
				}
			}
			if strings.Contains(err.Error(), "value-of-v2") || strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("value-of-v2"))) {
				t.Errorf("the error shows a value: %v", err)
			}
		})
	}
}

// An admission webhook may quote what was sent and the object as it was, in whatever form. None of it is shown, whatever is written.
func TestNoErrorShowsWhatAWebhookQuotes(t *testing.T) {
	forms := map[string]func([]byte) string{
		"raw": func(v []byte) string { return string(v) }, "base64": base64.StdEncoding.EncodeToString,
		"URL": func(v []byte) string { return url.QueryEscape(string(v)) }, "JSON": func(v []byte) string { return fmt.Sprintf("%q", v) },
	}
	for form, quote := range forms {
		for _, write := range []string{"stage", "publish"} {
			secret := appSecret()
			secret.Data["other"], secret.Data["pin"] = []byte(`an "other"/ secret`), []byte("123")
			server, client := serve(t, secret)
			s := newStore(client.CoreV1())
			begun(t, s)
			rec := load(t, s)
			var held []string
			server.refuse = func(verb, _ string) (int, string) {
				if verb != "patch" && verb != "create" {
					return 0, ""
				}
				said := "a webhook says: the object has"
				for _, name := range []string{secret.Name, ledger.Record(secret.Name)} {
					for key, value := range server.secrets[name].Data {
						if name != secret.Name && !strings.HasSuffix(key, ".value") || key == "pin" && form != "base64" {
							continue // a short value would take all of the text with it
						}
						held = append(held, quote(value))
						said += fmt.Sprintf(" %s=%s;", key, quote(value))
					}
				}
				return http.StatusUnprocessableEntity, said
			}
			var err error
			if write == "stage" {
				err = s.Stage(t.Context(), rec.Revision, rotation.Credential{V: 3, ID: "backend_v3", Value: rotation.NewSecret([]byte("value-of-v3"))})
			} else {
				err = s.Publish(t.Context(), rec.Revision, only(2))
			}
			if err == nil || len(held) < 4 {
				t.Fatalf("%s, %s: %v; quoted: %q", form, write, err, held)
			}
			for _, value := range held {
				if strings.Contains(err.Error(), value) {
					t.Errorf("%s, %s: %q is shown: %v", form, write, value, err)
				}
			}
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://127.0.0.1:1"})
	must(t, err)
	s := newStore(client.CoreV1())
	if _, err := s.Load(t.Context()); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("a refused connection: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Load(ended); errors.Is(err, rotation.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended: %v", err)
	}
}

func TestForbiddenOnCluster(t *testing.T) {
	client := cluster(t)
	config := clusterConfig(t)
	config.Impersonate = rest.ImpersonationConfig{UserName: "nobody"}
	nobody, err := kubernetes.NewForConfig(config)
	must(t, err)
	s := newStore(nobody.CoreV1())
	s.Namespace = namespace(t, client)
	_, err = s.Load(t.Context())
	wantError(t, err, "get secrets", `"postgresql-credentials"`, s.Namespace)
	if !strings.Contains(rotation.Hint(err), "rbac") {
		t.Errorf("the hint is %q", rotation.Hint(err))
	}
}

// TestRulesOnCluster runs a whole rotation with the permissions of Rules alone.
func TestRulesOnCluster(t *testing.T) {
	admin := cluster(t)
	config := clusterConfig(t)
	config.Impersonate = rest.ImpersonationConfig{UserName: "rotator"}
	rotator, err := kubernetes.NewForConfig(config)
	must(t, err)
	s := newStore(rotator.CoreV1())
	s.Namespace = namespace(t, admin)
	allow(t, admin, s.Namespace, "rotator", Rules(name))
	secret := appSecret()
	secret.Namespace = s.Namespace
	_, err = admin.CoreV1().Secrets(s.Namespace).Create(t.Context(), secret, metav1.CreateOptions{FieldManager: "kubectl-create"})
	must(t, err)
	rotated(t, s)
	wantRotated(t, s)
}
