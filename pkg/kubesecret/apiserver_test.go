package kubesecret

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// apiServer answers for Secrets and ConfigMaps as an API server does, as far as a Store can see it: resourceVersions are checked,
// merge patches merged, and the field manager of a write is remembered with its time. client-go's fake clientset
// does not check resourceVersions.
type apiServer struct {
	mu      sync.Mutex
	secrets map[string]*corev1.Secret
	version int
	clock   time.Time

	// refuse is asked before a request takes effect; a status other than 0 is the answer.
	refuse func(verb, name string) (status int, message string)
	// lose is asked after a request took effect: the answer is lost on the way.
	lose func(verb, name string) bool
}

// serve starts one with the given Secrets, for one test.
func serve(t *testing.T, secrets ...*corev1.Secret) (*apiServer, kubernetes.Interface) {
	t.Helper()
	s := &apiServer{secrets: map[string]*corev1.Secret{}, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for _, secret := range secrets {
		s.store(secret.DeepCopy(), "kubectl-create")
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: web.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return s, client
}

func (s *apiServer) store(secret *corev1.Secret, manager string) {
	s.version++
	if secret.UID == "" {
		secret.UID = types.UID("uid-" + strconv.Itoa(s.version))
	}
	secret.ResourceVersion = strconv.Itoa(s.version)
	at := metav1.NewTime(s.clock)
	entry := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &at}
	kept := []metav1.ManagedFieldsEntry{entry}
	for _, f := range secret.ManagedFields {
		if f.Manager != manager {
			kept = append(kept, f)
		}
	}
	secret.ManagedFields = kept
	s.secrets[secret.Name] = secret
}

// get is a copy of the Secret as it is stored.
func (s *apiServer) get(name string) *corev1.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[name].DeepCopy()
}

// change is what another client does to a Secret.
func (s *apiServer) change(name string, edit func(*corev1.Secret)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.secrets[name].DeepCopy()
	edit(next)
	s.store(next, "kubectl-edit")
}

func (s *apiServer) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, name)
}

// pass lets time go by on the server.
func (s *apiServer) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, rest, _ := strings.Cut(r.URL.Path, "/api/v1/namespaces/default/")
	kind, name, _ := strings.Cut(rest, "/")
	body, _ := io.ReadAll(r.Body)
	if kind == "configmaps" {
		body = encoded(body)
	}
	verb := map[string]string{http.MethodGet: "get", http.MethodPatch: "patch", http.MethodPost: "create"}[r.Method]
	if s.refuse != nil {
		if status, message := s.refuse(verb, name); status != 0 {
			fail(w, status, message)
			return
		}
	}
	status, answer := s.answer(verb, name, r.URL.Query().Get("fieldManager"), body)
	if s.lose != nil && s.lose(verb, name) {
		panic(http.ErrAbortHandler)
	}
	if status >= 400 {
		fail(w, status, fmt.Sprint(answer))
		return
	}
	if secret, ok := answer.(*corev1.Secret); ok && kind == "configmaps" {
		answer = configMap(secret)
	}
	reply(w, status, answer)
}

// configMap is a ConfigMap that is stored as a Secret.
func configMap(s *corev1.Secret) *corev1.ConfigMap {
	m := &corev1.ConfigMap{ObjectMeta: s.ObjectMeta, Immutable: s.Immutable, Data: map[string]string{}}
	for key, value := range s.Data {
		m.Data[key] = string(value)
	}
	return m
}

// encoded is a patch of a ConfigMap as one of the Secret that it is stored as.
func encoded(patch []byte) []byte {
	var body map[string]any
	_ = json.Unmarshal(patch, &body)
	data, _ := body["data"].(map[string]any)
	for key, text := range data {
		if text != nil {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text.(string)))
		}
	}
	text, _ := json.Marshal(body)
	return text
}

func (s *apiServer) answer(verb, name, manager string, body []byte) (int, any) {
	found, ok := s.secrets[name]
	switch {
	case verb == "get" && name == "":
		list := &corev1.SecretList{}
		for secret := range maps.Values(s.secrets) {
			list.Items = append(list.Items, *secret)
		}
		return http.StatusOK, list
	case verb == "create":
		made := &corev1.Secret{}
		if err := json.Unmarshal(body, made); err != nil {
			return http.StatusBadRequest, err
		}
		if _, ok := s.secrets[made.Name]; ok {
			return http.StatusConflict, "already exists"
		}
		made.Namespace = "default"
		s.store(made, manager)
		return http.StatusCreated, made
	case !ok:
		return http.StatusNotFound, "not found"
	case verb == "get":
		return http.StatusOK, found
	}
	next, err := patched(found, body)
	if err != nil {
		return http.StatusBadRequest, err
	}
	if next.ResourceVersion != found.ResourceVersion {
		return http.StatusConflict, "the object has been modified"
	}
	s.store(next, manager)
	return http.StatusOK, next
}

// patched is secret with a JSON merge patch (RFC 7386) made.
func patched(secret *corev1.Secret, patch []byte) (*corev1.Secret, error) {
	text, err := json.Marshal(secret)
	var before, change any
	if err := errors.Join(err, json.Unmarshal(text, &before), json.Unmarshal(patch, &change)); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(merge(before, change)); err != nil {
		return nil, err
	}
	next := &corev1.Secret{}
	return next, json.Unmarshal(text, next)
}

func merge(target, patch any) any {
	fields, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	result, ok := target.(map[string]any)
	if !ok {
		result = map[string]any{}
	}
	for key, value := range fields {
		if value == nil {
			delete(result, key)
			continue
		}
		result[key] = merge(result[key], value)
	}
	return result
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// reasons are those that the API server gives with a status.
var reasons = map[int]metav1.StatusReason{
	http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict,
	http.StatusForbidden: metav1.StatusReasonForbidden, http.StatusUnprocessableEntity: metav1.StatusReasonInvalid,
	http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests, http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
}

func fail(w http.ResponseWriter, status int, message string) {
	reply(w, status, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Message: message, Reason: reasons[status], Code: int32(status),
	})
}
