package kubesecret

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// steps are all writes of a rotation, each decided on a fresh record, and doing nothing where the record shows that it
// took place already: what a run and the run after it do.
func steps(s *Store) []func(t *testing.T) error {
	stage := func(t *testing.T, c rotation.Credential) error {
		rec := load(t, s)
		if _, saved := rec.Live[c.V]; saved {
			return nil
		}
		return s.Stage(t.Context(), rec.Revision, c)
	}
	return []func(t *testing.T) error{
		func(t *testing.T) error {
			if load(t, s).Intent != nil {
				return nil
			}
			return intend(t, s, rotation.Intent{From: 1, To: 2, Attempt: 1, By: "alice"})
		},
		func(t *testing.T) error {
			c := load(t, s).Current
			c.V = 1
			return stage(t, c)
		},
		func(t *testing.T) error { return stage(t, v2()) },
		func(t *testing.T) error {
			rec := load(t, s)
			if rec.Active() == 2 {
				return nil
			}
			return s.Publish(t.Context(), rec.Revision, only(2))
		},
		func(t *testing.T) error { return s.Retire(t.Context(), load(t, s).Revision, 1) },
	}
}

// TestEveryWriteBroken breaks each request that writes in a rotation in two ways, before its effect and after it, and
// goes on as the next run does: the end is always the same.
func TestEveryWriteBroken(t *testing.T) {
	const writes = 7 // begin makes the second Secret first; retire writes both
	for _, after := range []bool{false, true} {
		for n := range writes {
			t.Run(fmt.Sprintf("write %d, after its effect: %v", n+1, after), func(t *testing.T) {
				server, client := serve(t, appSecret())
				broken := breakWrite(server, n, after)
				s := newStore(client.CoreV1())
				for i, step := range steps(s) {
					err := step(t)
					for tries := 0; err != nil && tries < 3; tries++ {
						if !errors.Is(err, rotation.ErrUnavailable) {
							t.Fatalf("step %d: %v, want it unavailable", i, err)
						}
						err = step(t)
					}
					must(t, err)
				}
				if !*broken {
					t.Fatal("no write was broken")
				}
				wantRotated(t, s)
			})
		}
	}
}

// breakWrite makes the nth request that writes fail, once.
func breakWrite(server *apiServer, n int, after bool) (broken *bool) {
	broken = new(bool)
	seen := 0
	hit := func(verb string) bool {
		if verb == "get" || *broken {
			return false
		}
		seen++
		*broken = seen == n+1
		return *broken
	}
	if after {
		server.lose = func(verb, _ string) bool { return hit(verb) }
		return broken
	}
	server.refuse = func(verb, _ string) (int, string) {
		if hit(verb) {
			return http.StatusServiceUnavailable, "the server is stopping"
		}
		return 0, ""
	}
	return broken
}

func wantRotated(t *testing.T, s *Store) {
	t.Helper()
	rec := load(t, s)
	if diff := cmp.Diff([]rotation.Version{2}, versions(rec.Live)); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]rotation.Version{1}, versions(rec.Gone)); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
	if !rec.Standby() || rec.Active() != 2 || rec.Current.V != 2 || rec.Edited || rec.Latest().N != 2 {
		t.Errorf("the record is %+v, want v2 alone, in edition 2", rec)
	}
}

func TestStalledOperator(t *testing.T) {
	for _, c := range []struct {
		name string
		late func(t *testing.T, s *Store, rec rotation.Record) error
	}{
		{"publish", func(t *testing.T, s *Store, rec rotation.Record) error {
			return s.Publish(t.Context(), rec.Revision, only(2))
		}},
		{"retire", func(t *testing.T, s *Store, rec rotation.Record) error { return s.Retire(t.Context(), rec.Revision, 2) }},
		{"note", func(t *testing.T, s *Store, rec rotation.Record) error {
			return s.Note(t.Context(), rec.Revision, func(r *rotation.Record) { r.High = 9 })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := serve(t, appSecret())
			s := newStore(client.CoreV1())
			begun(t, s)
			// The other decides between this one's reads and its write.
			overrule := true
			server.refuse = func(verb, _ string) (int, string) {
				if verb != "get" && overrule {
					overrule = false
					server.store(server.secrets[name], ledger.FieldManager)
				}
				return 0, ""
			}
			before := load(t, s)
			conflict(t, c.name, c.late(t, s, before))
			after := load(t, s)
			if diff := cmp.Diff(before.Editions, after.Editions); diff != "" || len(after.Gone) != 0 || len(after.Live) != 2 || after.High == 9 {
				t.Errorf("a write got through: %+v", after)
			}
		})
	}
}
