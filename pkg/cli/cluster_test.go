package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// cluster is an API server that only answers: what it is asked, and what it was to change, is taken down.
type cluster struct {
	*httptest.Server
	objects map[string]map[string]any // by path

	mu       sync.Mutex
	requests []string // "GET /api/v1/…"
}

// kindsOf are the kinds of the resources that are listed.
var kindsOf = map[string]string{
	"pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap", "services": "Service", "deployments": "Deployment", "replicasets": "ReplicaSet",
	"statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "cronjobs": "CronJob", "jobs": "Job", "horizontalpodautoscalers": "HorizontalPodAutoscaler",
	"nodes": "Node", "controllerrevisions": "ControllerRevision", "leases": "Lease", "events": "Event", "poddisruptionbudgets": "PodDisruptionBudget",
}

// newCluster serves these objects, which have to know their kinds.
func newCluster(t *testing.T, objects ...runtime.Object) *cluster {
	t.Helper()
	c := &cluster{objects: map[string]map[string]any{}}
	for _, o := range objects {
		kinds, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			t.Fatal(err)
		}
		o.GetObjectKind().SetGroupVersionKind(kinds[0])
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var one map[string]any
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		meta := one["metadata"].(map[string]any) //nolint:errcheck // of any object
		base := "/apis/" + kinds[0].GroupVersion().String()
		if kinds[0].Group == "" {
			base = "/api/v1"
		}
		path := fmt.Sprintf("%s/namespaces/%s/%s/%s", base, meta["namespace"], strings.ToLower(kinds[0].Kind)+"s", meta["name"])
		meta["uid"], meta["resourceVersion"] = path, "1"
		c.objects[path] = one
	}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP answers to reads and to questions about oneself, and refuses the rest.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests = append(c.requests, r.Method+" "+r.URL.Path)
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	say := func(code int, v any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	found, there := c.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodPost && name == "selfsubjectreviews":
		say(http.StatusCreated, map[string]any{"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "status": map[string]any{"userInfo": map[string]any{"username": "admin"}}})
	case r.Method == http.MethodPost && name == "selfsubjectaccessreviews":
		say(http.StatusCreated, map[string]any{"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": map[string]any{"allowed": true}})
	case r.Method != http.MethodGet:
		say(http.StatusForbidden, failure(http.StatusForbidden, "Forbidden"))
	case r.URL.Query().Get("watch") != "":
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush() //nolint:errcheck // it is one
		<-r.Context().Done()
	case there && strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata"):
		say(http.StatusOK, map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]})
	case there:
		say(http.StatusOK, found)
	case kindsOf[name] != "":
		version := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path[:strings.Index(r.URL.Path+"/namespaces/", "/namespaces/")], "/apis/"), "/api/")
		items := []any{}
		for path, o := range c.objects {
			if strings.HasPrefix(path, r.URL.Path+"/") {
				items = append(items, o)
			}
		}
		say(http.StatusOK, map[string]any{"kind": kindsOf[name] + "List", "apiVersion": version, "metadata": map[string]any{"resourceVersion": "1"}, "items": items})
	default:
		say(http.StatusNotFound, failure(http.StatusNotFound, "NotFound"))
	}
}

func failure(code int, reason string) any {
	return map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": reason}
}

// asked are the requests that were about something.
func (c *cluster) asked(about string) (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if strings.Contains(r, about) {
			all = append(all, r)
		}
	}
	return all
}

// written are the requests that would have changed something.
func (c *cluster) written() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.requests), func(r string) bool {
		return strings.HasPrefix(r, "GET ") || strings.HasSuffix(r, "reviews")
	})
}

// run runs a command line against the cluster, in a folder of its own that holds these files and is its home too.
func (c *cluster) run(t *testing.T, namespace string, files map[string]string, args ...string) (code int, out, said string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	all := maps.Clone(files)
	if all == nil {
		all = map[string]string{}
	}
	all["kubeconfig"] = fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: prod
clusters: [{name: prod, cluster: {server: %q}}]
users: [{name: admin, user: {}}]
contexts: [{name: prod, context: {cluster: prod, user: admin, namespace: %s}}]
`, c.URL, namespace)
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var o, e bytes.Buffer
	code = Run(t.Context(), append(args, "--kubeconfig", "kubeconfig"), Streams{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// stranger is an address that nobody has any business with: it takes down what it hears.
type stranger struct {
	net.Listener
	mu    sync.Mutex
	heard []string
	calls sync.WaitGroup
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{Listener: l}
	s.calls.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.calls.Go(func() { s.hear(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return s
}

// hear takes down what comes first, and hangs up.
func (s *stranger) hear(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	at := len(s.heard)
	s.heard = append(s.heard, "(a connection)")
	s.mu.Unlock()
	first := make([]byte, 4096)
	n, _ := conn.Read(first)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[at] = string(first[:n])
}

// all is what was heard until now.
func (s *stranger) all() []string {
	_ = s.Close()
	s.calls.Wait()
	return s.heard
}
