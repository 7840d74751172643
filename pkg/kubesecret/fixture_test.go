package kubesecret

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const name = "postgresql-credentials"

// appSecret is a Secret with a login, its password, a connection string of both, and a key that no rotation writes.
func appSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": "backend"}},
		Data: map[string][]byte{
			"username": []byte("backend"),
			"password": []byte("value-of-v1"),
			"url":      []byte("postgres://backend:value-of-v1@postgresql/demo"),
			"ca.crt":   []byte("not a secret"),
		},
	}
}

// login is how the login stands in the data of appSecret.
func login() Content {
	return Content{
		Parse: parse, Render: render,
		Keys: func(map[string][]byte) []string { return []string{"username", "password", "url"} },
	}
}

func newStore(secrets corev1client.SecretsGetter) *Store {
	return &Store{ledger.Store{Ledger: ledger.Ledger{Secrets: secrets, Namespace: "default", Name: name, Content: login()}}}
}

func parse(data map[string][]byte) (rotation.Credential, error) {
	if len(data["username"]) == 0 || len(data["password"]) == 0 {
		return rotation.Credential{}, errors.New("no username and password")
	}
	return rotation.Credential{ID: string(data["username"]), Value: rotation.NewSecret(data["password"])}, nil
}

// render writes all rotated keys, those that are right already too. What follows the @ of the url is kept.
func render(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	c, ok := live[view.Active]
	if !ok {
		return nil, errors.New("no value")
	}
	_, place, _ := strings.Cut(string(data["url"]), "@")
	return map[string][]byte{
		"username": []byte(c.ID),
		"password": c.Value.Reveal(),
		"url":      []byte("postgres://" + c.ID + ":" + string(c.Value.Reveal()) + "@" + place),
	}, nil
}

func v2() rotation.Credential {
	return rotation.Credential{V: 2, ID: "backend_v2", Value: rotation.NewSecret([]byte("value-of-v2")), Meta: map[string]string{"owner": "backend"}}
}

func only(v rotation.Version) rotation.View {
	return rotation.View{Active: v, Accept: []rotation.Version{v}}
}

func load(t *testing.T, s *Store) rotation.Record {
	t.Helper()
	rec, err := s.Load(t.Context())
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return rec
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func conflict(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, rotation.ErrConflict) {
		t.Fatalf("%s: %v, want a conflict", what, err)
	}
}

// intend notes intent i as begin does.
func intend(t *testing.T, s *Store, i rotation.Intent) error {
	t.Helper()
	return s.Note(t.Context(), load(t, s).Revision, func(r *rotation.Record) {
		if len(r.Editions) == 0 {
			r.Editions = []rotation.Edition{r.Latest()}
		}
		r.Intent, r.High, r.Marks = &i, max(r.High, i.To), nil
	})
}

// begun takes a store to where v1 and v2 are saved.
func begun(t *testing.T, s *Store) {
	t.Helper()
	must(t, intend(t, s, rotation.Intent{From: 1, To: 2, Attempt: 1, By: "alice"}))
	current := load(t, s).Current
	current.V = 1
	must(t, s.Stage(t.Context(), load(t, s).Revision, current))
	must(t, s.Stage(t.Context(), load(t, s).Revision, v2()))
}

// rotated takes a store to where only v2 is left.
func rotated(t *testing.T, s *Store) {
	t.Helper()
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	must(t, s.Retire(t.Context(), load(t, s).Revision, 1))
}

func versions[T any](m map[rotation.Version]T) []rotation.Version {
	return slices.Sorted(maps.Keys(m))
}
