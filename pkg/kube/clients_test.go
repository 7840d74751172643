package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// twoServers is a kubeconfig with contexts a, b and c, of which a is current; c's cluster is missing.
func twoServers(t *testing.T, a, b string) *genericclioptions.ConfigFlags {
	t.Helper()
	file := writeKubeconfig(t, fmt.Sprintf(`
clusters: [{name: a, cluster: {server: %q}}, {name: b, cluster: {server: %q}}]
users: [{name: sre, user: {token: t}}, {name: admin, user: {token: u}}]
contexts:
- {name: a, context: {cluster: a, user: sre, namespace: shop}}
- {name: b, context: {cluster: b, user: admin}}
- {name: c, context: {cluster: nowhere, user: admin}}
current-context: a
`, a, b))
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &file
	return flags
}

func TestNewTakesTheContext(t *testing.T) {
	type seen struct{ Context, Server, Namespace, User string }
	for name, c := range map[string]struct {
		set  func(*genericclioptions.ConfigFlags)
		want seen
	}{
		"current":    {func(*genericclioptions.ConfigFlags) {}, seen{"a", "http://a", "shop", "sre"}},
		"chosen":     {func(f *genericclioptions.ConfigFlags) { *f.Context = "b" }, seen{"b", "http://b", "default", "admin"}},
		"namespace":  {func(f *genericclioptions.ConfigFlags) { *f.Namespace = "other" }, seen{"a", "http://a", "other", "sre"}},
		"user":       {func(f *genericclioptions.ConfigFlags) { *f.AuthInfoName = "admin" }, seen{"a", "http://a", "shop", "admin"}},
		"as":         {func(f *genericclioptions.ConfigFlags) { *f.Impersonate = "jane" }, seen{"a", "http://a", "shop", "jane"}},
		"the server": {func(f *genericclioptions.ConfigFlags) { *f.APIServer = "http://c" }, seen{"a", "http://c", "shop", "sre"}},
	} {
		t.Run(name, func(t *testing.T) {
			flags := twoServers(t, "http://a", "http://b")
			c.set(flags)
			got, err := New(flags, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, seen{got.Context, got.Server, got.Namespace, got.User}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNewExplainsABadKubeconfig(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	missing := filepath.Join(t.TempDir(), "nothing")
	for name, c := range map[string]struct {
		file, context string
		want, hint    string
	}{
		"missing":     {file: missing, want: missing + " does not exist", hint: "--kubeconfig"},
		"not YAML":    {file: writeKubeconfig(t, "clusters: ["), want: "reading kubeconfig", hint: "kubectl config view"},
		"empty":       {file: writeKubeconfig(t, ""), want: "has no context", hint: "--kubeconfig"},
		"no context":  {context: "z", want: `context "z" does not exist in `, hint: "a, b, c"},
		"no cluster":  {context: "c", want: `using context "c"`, hint: "--context c"},
		"none chosen": {file: writeKubeconfig(t, "contexts: [{name: x, context: {cluster: k}}]\n"), want: "no context is chosen", hint: "use-context"},
		"gone context": {
			file: writeKubeconfig(t, "contexts: [{name: x, context: {cluster: k}}]\ncurrent-context: old\n"),
			want: `context "old" does not exist`, hint: "x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			flags := twoServers(t, "http://a", "http://b")
			if c.file != "" {
				*flags.KubeConfig = c.file
			}
			*flags.Context = c.context
			_, err := New(flags, Options{})
			expectExplained(t, err, c.want, c.hint)
			if !strings.Contains(err.Error(), *flags.KubeConfig) {
				t.Errorf("%v does not name the file", err)
			}
		})
	}
}

func expectExplained(t *testing.T, err error, want, hint string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("%v, want %q in it", err, want)
	}
	if got := rotation.Hint(err); !strings.Contains(got, hint) || hint == "" {
		t.Errorf("hint %q, want %q in it", got, hint)
	}
}

func TestNewFromTheEnvironment(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "nothing"))
	_, err := New(genericclioptions.NewConfigFlags(false), Options{})
	expectExplained(t, err, "nothing does not exist", "KUBECONFIG")
}

// --context b sends nothing to a.
func TestOnlyTheChosenServerIsContacted(t *testing.T) {
	var hits [2]int
	var servers [2]*httptest.Server
	for i := range servers {
		servers[i] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hits[i]++
			writeStatus(w, http.StatusNotFound, metav1.StatusReasonNotFound, "no such thing")
		}))
		t.Cleanup(servers[i].Close)
	}
	flags := twoServers(t, servers[0].URL, servers[1].URL)
	*flags.Context = "b"
	c, err := New(flags, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if hits != [2]int{} {
		t.Errorf("hits %v before any request", hits)
	}
	_, _ = c.WhoAmI(t.Context())
	if hits[0] != 0 || hits[1] == 0 {
		t.Errorf("hits %v", hits)
	}
}

func TestUserAgentAndWarnings(t *testing.T) {
	s := newAPIServer(t)
	var agent string
	s.routes["GET /api/v1/namespaces/default/secrets/s"] = func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		w.Header().Set("Warning", `299 - "this is old"`)
		writeJSON(w, http.StatusOK, map[string]string{"apiVersion": "v1", "kind": "Secret"})
	}
	var warnings bytes.Buffer
	c, err := New(s.flags(t), Options{Version: "v1.2.3", Warnings: &warnings})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Kube.CoreV1().Secrets("default").Get(t.Context(), "s", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(agent, "kubectl-rotate/v1.2.3 ") {
		t.Errorf("user agent %q", agent)
	}
	if got := warnings.String(); got != "Warning: this is old\n" {
		t.Errorf("warnings %q", got)
	}
}

const reviewPath = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"

func TestWhoAmI(t *testing.T) {
	s := newAPIServer(t)
	c := s.clients(t)
	review := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			var r authenticationv1.SelfSubjectReview
			r.APIVersion, r.Kind, r.Status.UserInfo.Username = "authentication.k8s.io/v1", "SelfSubjectReview", name
			writeJSON(w, http.StatusCreated, r)
		}
	}
	refuse := func(code int, reason metav1.StatusReason) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, code, reason, "no") }
	}
	for name, c2 := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"told":               {review("jane@example.com"), "jane@example.com"},
		"nobody":             {review(""), "sre"},
		"too old":            {refuse(http.StatusNotFound, metav1.StatusReasonNotFound), "sre"},
		"not allowed to ask": {refuse(http.StatusForbidden, metav1.StatusReasonForbidden), "sre"},
	} {
		t.Run(name, func(t *testing.T) {
			s.routes[reviewPath] = c2.answer
			if got, err := c.WhoAmI(t.Context()); err != nil || got != c2.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	s.routes[reviewPath] = refuse(http.StatusUnauthorized, metav1.StatusReasonUnauthorized)
	_, err := c.WhoAmI(t.Context())
	expectExplained(t, err, `server `+s.URL+` (context "test") does not accept the credentials of user "sre"`, "log in again")
}

func forgetAuthority(c *rest.Config) *rest.Config {
	c.CAFile = ""
	return c
}

func TestExplainNamesServerAndContext(t *testing.T) {
	get := func(t *testing.T, c *Clients, timeout time.Duration) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := c.Kube.CoreV1().Pods("default").Get(ctx, "p", metav1.GetOptions{})
		if err == nil {
			t.Fatal("the request succeeded")
		}
		return c.Explain(err)
	}
	change := func(t *testing.T, s *apiServer, set func(*genericclioptions.ConfigFlags)) *Clients {
		t.Helper()
		flags := s.flags(t)
		set(flags)
		c, err := New(flags, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("another authority", func(t *testing.T) {
		s := newAPIServer(t)
		c := change(t, s, func(f *genericclioptions.ConfigFlags) { f.WrapConfigFn = forgetAuthority })
		expectExplained(t, get(t, c, time.Minute), s.URL+` (context "test") has a certificate that the kubeconfig's authority did not sign`, "fresh kubeconfig")
	})
	t.Run("another name", func(t *testing.T) {
		s := newAPIServer(t)
		c := change(t, s, func(f *genericclioptions.ConfigFlags) { *f.TLSServerName = "elsewhere.test" })
		expectExplained(t, get(t, c, time.Minute), "has a certificate for another name", "--tls-server-name")
	})
	t.Run("nothing listens", func(t *testing.T) {
		s := newAPIServer(t)
		c := s.clients(t)
		_ = s.listener.Close()
		err := get(t, c, time.Minute)
		expectExplained(t, err, s.URL+` (context "test") refuses connections`, "running")
		if !errors.Is(err, rotation.ErrUnavailable) {
			t.Errorf("%v is not one that may pass", err)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		s := newAPIServer(t)
		gone := make(chan struct{})
		t.Cleanup(func() { close(gone) })
		s.routes["GET /api/v1/namespaces/default/pods/p"] = func(http.ResponseWriter, *http.Request) { <-gone }
		expectExplained(t, get(t, s.clients(t), 200*time.Millisecond), "does not answer in time", "VPN")
	})
	t.Run("no such name", func(t *testing.T) {
		s := newAPIServer(t)
		c := change(t, s, func(f *genericclioptions.ConfigFlags) { *f.APIServer = "https://nobody.invalid" })
		expectExplained(t, get(t, c, time.Minute), "https://nobody.invalid", "--context")
	})
	t.Run("a program for credentials", func(t *testing.T) {
		file := writeKubeconfig(t, `
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-program, interactiveMode: Never}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`)
		flags := genericclioptions.NewConfigFlags(false)
		flags.KubeConfig = &file
		c, err := New(flags, Options{})
		if err != nil {
			t.Fatal(err)
		}
		expectExplained(t, get(t, c, time.Minute), "gets its credentials from a program that failed", "by hand")
	})
	t.Run("others stay as they are", func(t *testing.T) {
		c := newAPIServer(t).clients(t)
		for _, err := range []error{nil, errors.New("x"), apierrors.NewBadRequest("x"), rotation.WithHint(errors.New("x"), "y")} {
			if got := c.Explain(err); got != err {
				t.Errorf("%v became %v", err, got)
			}
		}
	})
}

func TestMissing(t *testing.T) {
	s := newAPIServer(t)
	s.routes["POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			t.Error(err)
			return
		}
		review := object.(*authorizationv1.SelfSubjectAccessReview)
		a := review.Spec.ResourceAttributes
		review.Status.Allowed = a.Verb == "get" && a.Subresource == "" && a.Namespace == "default" && a.Name != "other"
		writeJSON(w, http.StatusCreated, review)
	}
	needed := []Permission{
		{Verb: "create", Resource: "pods", Subresource: "portforward", Namespace: "default"},
		{Verb: "get", Resource: "secrets", Namespace: "default", Name: "mine"},
		{Verb: "get", Resource: "secrets", Namespace: "default", Name: "other"},
		{Verb: "patch", Group: "apps", Resource: "deployments", Namespace: "default"},
		{Verb: "list", Resource: "nodes"},
	}
	missing, err := s.clients(t).Missing(t.Context(), needed)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range missing {
		got = append(got, p.String())
	}
	want := []string{
		"create pods/portforward in namespace default", `get secrets "other" in namespace default`,
		"patch deployments.apps in namespace default", "list nodes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An answer that can't be had is not a permission.
func TestMissingCannotTell(t *testing.T) {
	c := newAPIServer(t).clients(t)
	missing, err := c.Missing(t.Context(), []Permission{{Verb: "get", Resource: "pods"}})
	if err == nil || !strings.Contains(err.Error(), "asking whether we may get pods") {
		t.Errorf("missing %v, %v", missing, err)
	}
}
