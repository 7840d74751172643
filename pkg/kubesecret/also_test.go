package kubesecret

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

const reports = "reports-db"

// reportsSecret holds the same login as appSecret.
func reportsSecret() *corev1.Secret {
	s := appSecret()
	s.Name = reports
	return s
}

// withAlso is a store over two Secrets.
func withAlso(secrets corev1client.SecretsGetter) *Store {
	s := newStore(secrets)
	s.Also = []ledger.Place{Secret{Secrets: secrets, Namespace: "default", Name: reports, Content: login()}}
	return s
}

// holding is the login that a Secret says.
func (s *apiServer) holding(name string) string { return string(s.get(name).Data["username"]) }

func TestContractWithAlso(t *testing.T) {
	rotationtest.Store(t, func(t *testing.T) rotationtest.StoreFixture {
		server, client := serve(t, appSecret(), reportsSecret())
		f := contractFixture(withAlso(client.CoreV1()), client.CoreV1())
		read := f.Read
		f.Read = func(t *testing.T) rotation.Credential {
			also, err := parse(server.get(reports).Data)
			if c := read(t); err == nil && c.Same(also) {
				return c
			}
			t.Fatalf("the two Secrets disagree: %s, %s", server.holding(name), server.holding(reports))
			return rotation.Credential{}
		}
		return f
	})
}

// Each request that writes is broken once, before its effect and after it; the next run comes to the same end.
func TestEveryWriteBrokenWithAlso(t *testing.T) {
	const writes = 8 // one more than without
	for _, after := range []bool{false, true} {
		for n := range writes {
			t.Run(fmt.Sprintf("write %d, after its effect: %v", n+1, after), func(t *testing.T) {
				server, client := serve(t, appSecret(), reportsSecret())
				broken := breakWrite(server, n, after)
				s := withAlso(client.CoreV1())
				for _, step := range steps(s) {
					for err := step(t); err != nil; err = step(t) {
						if !errors.Is(err, rotation.ErrUnavailable) {
							t.Fatal(err)
						}
					}
				}
				if !*broken {
					t.Fatal("no write was broken")
				}
				wantRotated(t, s)
				if got := server.holding(reports); got != "backend_v2" || len(load(t, s).Behind) > 0 {
					t.Errorf("the other Secret holds %s, behind %v", got, load(t, s).Behind)
				}
			})
		}
	}
}

// cutOff takes a store to where a publication of v2 wrote the other Secret and then broke.
func cutOff(t *testing.T) (*apiServer, *Store) {
	t.Helper()
	server, client := serve(t, appSecret(), reportsSecret())
	s := withAlso(client.CoreV1())
	begun(t, s)
	server.pass(time.Minute)
	server.refuse = func(verb, of string) (int, string) {
		if verb == "patch" && of == name {
			return http.StatusServiceUnavailable, "the server is stopping"
		}
		return 0, ""
	}
	if err := s.Publish(t.Context(), load(t, s).Revision, only(2)); !errors.Is(err, rotation.ErrUnavailable) {
		t.Fatal(err)
	}
	server.refuse = nil
	if server.holding(reports) != "backend_v2" || server.holding(name) != "backend" {
		t.Fatalf("the Secrets hold %s and %s, want the other ahead", server.holding(name), server.holding(reports))
	}
	return server, s
}

func TestPublicationCutOffGoesOn(t *testing.T) {
	server, s := cutOff(t)
	if rec := load(t, s); rec.Edited || rec.Active() != 1 {
		t.Errorf("the record is %+v, want v1 active and no edit", rec)
	}
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	if rec := load(t, s); rec.Active() != 2 || rec.Latest().N != 2 || len(rec.Behind) > 0 || server.holding(reports) != "backend_v2" {
		t.Errorf("the record is %+v", rec)
	}
}

// On the way back the other Secret is put back, and what its readers may have read in between is an edition.
func TestPublicationCutOffIsTakenBack(t *testing.T) {
	server, s := cutOff(t)
	must(t, intend(t, s, rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true}))
	rec := load(t, s)
	if diff := cmp.Diff([]string{"secret default/" + reports}, rec.Behind); diff != "" || rec.Edited {
		t.Fatalf("edited is %v, behind (-want +got):\n%s", rec.Edited, diff)
	}
	server.pass(time.Minute)
	must(t, s.Publish(t.Context(), rec.Revision, only(1)))
	rec = load(t, s)
	var views []rotation.Version
	for _, e := range rec.Editions {
		views = append(views, e.View.Active)
	}
	if diff := cmp.Diff([]rotation.Version{1, 2, 1}, views); diff != "" {
		t.Fatalf("the editions (-want +got):\n%s", diff)
	}
	if gap := rec.Editions[2].Written.Sub(rec.Editions[1].Written); gap != time.Minute {
		t.Errorf("v2 was out for %v, want a minute", gap)
	}
	if server.holding(reports) != "backend" || len(rec.Behind) > 0 || rec.Edited {
		t.Errorf("the other Secret holds %s; the record is %+v", server.holding(reports), rec)
	}
}

// A change of mind is told to the other Secret too; until then a publication decided before it may still come.
func TestDecisionIsTold(t *testing.T) {
	server, client := serve(t, appSecret(), reportsSecret())
	s := withAlso(client.CoreV1())
	begun(t, s)
	stale := load(t, s).Revision
	var late error
	server.refuse = func(verb, of string) (int, string) { // the first operator stalls at its first write
		if verb != "patch" || of != reports {
			return 0, ""
		}
		server.refuse = nil
		server.mu.Unlock()
		defer server.mu.Lock()
		must(t, intend(t, s, rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true}))
		if behind := load(t, s).Behind; len(behind) != 1 {
			t.Errorf("before it is told, behind is %v", behind)
		}
		must(t, s.Publish(t.Context(), load(t, s).Revision, only(1)))
		if rec := load(t, s); len(rec.Behind) > 0 || len(rec.Editions) != 1 {
			t.Errorf("told, the record is %+v, want nobody behind and no edition more", rec)
		}
		return 0, ""
	}
	late = s.Publish(t.Context(), stale, only(2))
	conflict(t, "the stalled publication", late)
	if got := server.holding(reports); got != "backend" {
		t.Errorf("the other Secret holds %s", got)
	}
}

func TestEditOfTheOtherSecret(t *testing.T) {
	for _, c := range []struct {
		name   string
		edit   func(data map[string][]byte)
		edited bool
	}{
		{"a key that no rotation writes", func(d map[string][]byte) { d["ca.crt"] = []byte("renewed") }, false},
		{"another password", func(d map[string][]byte) { d["password"] = []byte("other") }, true},
		{"the url alone", func(d map[string][]byte) { d["url"] = []byte("postgres://backend:value-of-v1@postgresql/demo") }, true},
		{"back to v1", func(d map[string][]byte) {
			for key, value := range appSecret().Data {
				d[key] = value
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := serve(t, appSecret(), reportsSecret())
			s := withAlso(client.CoreV1())
			begun(t, s)
			must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
			before := load(t, s).Revision
			server.change(reports, func(secret *corev1.Secret) { c.edit(secret.Data) })
			rec := load(t, s)
			if rec.Edited != c.edited || rec.Revision == before {
				t.Fatalf("edited is %v, want %v, and another revision", rec.Edited, c.edited)
			}
			must(t, s.Publish(t.Context(), rec.Revision, only(2)))
			if rec := load(t, s); rec.Edited || server.holding(reports) != "backend_v2" || rec.Active() != 2 {
				t.Errorf("once mended, the record is %+v", rec)
			}
		})
	}
}

func TestOtherSecretThatDoesNotFit(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name string
		edit func(*corev1.Secret)
		want string
	}{
		{"another login", func(s *corev1.Secret) { s.Data["username"] = []byte("reports") }, "holds the login reports, and not backend"},
		{"another password", func(s *corev1.Secret) { s.Data["password"] = []byte("other") }, "another password of the login backend"},
		{"no password", func(s *corev1.Secret) { delete(s.Data, "password") }, "no username and password"},
		{"immutable", func(s *corev1.Secret) { s.Immutable = &yes }, "default/reports-db is immutable"},
		{"somebody else's", wrote("helm", "password"), "default/reports-db is written by Helm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			also := reportsSecret()
			c.edit(also)
			_, client := serve(t, appSecret(), also)
			_, err := withAlso(client.CoreV1()).Preflight(t.Context())
			wantError(t, err, c.want)
			if !errors.Is(err, rotation.ErrRefused) || strings.Contains(err.Error(), "value-of") {
				t.Errorf("%v: want a refusal without a value", err)
			}
		})
	}
	_, client := serve(t, appSecret())
	_, err := withAlso(client.CoreV1()).Load(t.Context())
	wantError(t, err, "secret default/reports-db, which is to hold the same login, does not exist")
}
