package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// stolen is a login that has leaked, at a server of its own, with the operator that answers to it.
type stolen struct {
	*app
	*operator
	records *shelf
	mu      sync.Mutex
	noted   []string
}

func (s *stolen) hears(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = append(s.noted, text)
}

// newStolen has a login rotated once before it leaks where it is marked; else it is as somebody made it by hand.
func newStolen(t *testing.T, marked bool) *stolen {
	t.Helper()
	a := &app{
		Cluster: postgrestest.For(t, postgrestest.Config{Settings: map[string]string{"max_connections": "30", "max_prepared_transactions": "5"}}),
		t:       t, owner: "backend", database: "shop",
	}
	a.current = rotation.Credential{V: 1, ID: "backend", Value: rotation.NewSecret([]byte("first password"))}
	a.sql("postgres", "CREATE ROLE backend LOGIN PASSWORD 'first password'", "CREATE ROLE readers", "GRANT readers TO backend",
		"CREATE DATABASE shop OWNER backend")
	a.sql("shop", "CREATE SCHEMA backend AUTHORIZATION backend")
	a.server = a.via(viaScram)
	s := &stolen{app: a, operator: (&pair{app: a}).operator(a.server)}
	s.Timeout = time.Minute
	s.records = s.Store.(*shelf)
	a.server.Target = "shop/backend-login 4f1c"
	a.server.Record = s.records.Load
	a.server.Note = s.hears
	if marked {
		s.until(t, "", rotation.Finished)
	}
	a.server.Leaked = s.records.rec.Current.ID
	return s
}

// thief opens a session with what has leaked.
func (s *stolen) thief(database string) *pgx.Conn {
	s.t.Helper()
	a := *s.app
	a.database = database
	return a.opened(s.records.rec.Current)
}

// replaced wants the answer to the leak to end in success, with the leaked login refused and no session of it left.
func (s *stolen) replaced(t *testing.T) {
	t.Helper()
	leaked := s.records.rec.Current
	notes, err := s.server.Preflight(context.Background(), leaked)
	if err != nil {
		t.Fatalf("preflight: %v (%s)", err, rotation.Hint(err))
	}
	for _, note := range notes {
		s.hears(note)
	}
	result, err := s.Run(context.Background(), rotation.Want{Compromised: true, Again: true})
	if err != nil || result.Outcome != rotation.Finished {
		t.Fatalf("%v, %v (%s); heard: %v; noted: %q", result.Outcome, err, rotation.Hint(err), s.heard, s.noted)
	}
	if _, err := s.open(leaked); err == nil {
		t.Errorf("%s still gets in", leaked.ID)
	}
	if got := s.Value(t, "postgres", "SELECT count(*)::text FROM pg_stat_activity WHERE usename = $1", leaked.ID); got != "0" {
		t.Errorf("%s has %s sessions", leaked.ID, got)
	}
	s.stands(s.server, s.records.rec.Current, rotation.Accepts, "")
}

// tricks are what whoever has a login may do with nothing but that to keep it from being replaced.
var tricks = map[string]func(*stolen){
	"the advisory lock, held and asked for": func(s *stolen) {
		s.as(s.thief("postgres"), fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey))
		for range 3 {
			conn := s.thief("postgres")
			go func() {
				_, _ = conn.Exec(context.Background(), fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey))
			}()
		}
	},
	"its role, locked": func(s *stolen) {
		s.as(s.thief("shop"), "RESET ROLE", "BEGIN", "ALTER ROLE CURRENT_USER SET work_mem TO '5MB'", "ALTER ROLE CURRENT_USER PASSWORD 'mine'")
	},
	"its objects, locked": func(s *stolen) {
		s.as(s.thief("shop"), "CREATE TABLE backend.held (n int)", "BEGIN", "LOCK TABLE backend.held", "GRANT SELECT ON backend.held TO PUBLIC")
	},
	"connections, all of them": func(s *stolen) {
		for {
			if _, err := s.open(s.records.rec.Current); err != nil {
				return
			}
		}
	},
	"SET role": func(s *stolen) { s.as(s.thief("shop"), "ALTER ROLE CURRENT_USER SET role TO readers") },
	"SET role in a database": func(s *stolen) {
		s.as(s.thief("shop"), "RESET ROLE", "ALTER ROLE CURRENT_USER IN DATABASE shop SET role TO readers")
	},
	"SET role of a database": func(s *stolen) { s.as(s.thief("shop"), "ALTER DATABASE shop SET role TO readers") },
	"settings that end a session": func(s *stolen) {
		s.settings("statement_timeout", "1ms", "idle_session_timeout", "1ms", "lock_timeout", "1ms")
	},
	"settings that keep it out": func(s *stolen) { s.settings("local_preload_libraries", "nowhere") },
	"settings that confuse": func(s *stolen) {
		s.settings("search_path", "nowhere", "default_transaction_read_only", "on", "row_security", "off")
	},
	"a prepared transaction": func(s *stolen) {
		s.as(s.thief("shop"), "RESET ROLE", "BEGIN", "CREATE TABLE backend.p (n int)", "PREPARE TRANSACTION 'mine'")
	},
	"objects of its own": func(s *stolen) {
		s.as(s.thief("shop"), "RESET ROLE", "CREATE SCHEMA mine", "CREATE TABLE mine.t (n int)")
	},
	"grants to others": func(s *stolen) {
		s.as(s.thief("shop"), "RESET ROLE", "CREATE SCHEMA mine", "GRANT ALL ON SCHEMA mine TO readers", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO readers")
	},
	"no connections to its database": func(s *stolen) { s.as(s.thief("postgres"), "ALTER DATABASE shop CONNECTION LIMIT 0") },
}

// settings changes what the login's sessions begin with.
func (s *stolen) settings(pairs ...string) {
	s.t.Helper()
	conn := s.thief("shop")
	s.as(conn, "RESET ROLE")
	for i := 0; i < len(pairs); i += 2 {
		s.as(conn, fmt.Sprintf("ALTER ROLE CURRENT_USER SET %s TO '%s'", pairs[i], pairs[i+1]))
	}
}

func TestLeakedLoginCannotStopItsOwnReplacement(t *testing.T) {
	for name, trick := range tricks {
		for _, marked := range []bool{true, false} {
			if !marked && !strings.Contains(name, "role") {
				continue // what was made by hand differs in that alone
			}
			t.Run(fmt.Sprintf("%s, rotated before: %t", name, marked), func(t *testing.T) {
				t.Parallel()
				s := newStolen(t, marked)
				s.server.Own = func(context.Context, string) bool { return false }
				trick(s)
				s.replaced(t)
				if got := s.Value(t, "postgres", "SELECT pg_has_role($1, 'backend', 'MEMBER')::text", s.records.rec.Current.ID); got != "true" {
					t.Error("the new login does not act as the application's owner")
				}
			})
		}
	}
}

// A password that whoever stole a login has changed proves nothing any more. A mark of this target's does; so does a session from one of its
// pods; else the operator has to say so.
func TestLeakedLoginWithAnotherPassword(t *testing.T) {
	alter := func(s *stolen) { s.as(s.thief("shop"), "RESET ROLE", "ALTER ROLE CURRENT_USER PASSWORD 'mine'") }
	t.Run("marked", func(t *testing.T) {
		s := newStolen(t, true)
		alter(s)
		s.replaced(t)
	})
	t.Run("in use by a pod", func(t *testing.T) {
		s := newStolen(t, false)
		s.server.Own = func(_ context.Context, address string) bool { return address == "127.0.0.1" }
		s.thief("shop")
		alter(s)
		s.replaced(t)
	})
	t.Run("nothing but the record", func(t *testing.T) {
		s := newStolen(t, false)
		s.server.Own = func(context.Context, string) bool { return false }
		alter(s)
		_, err := s.server.Preflight(context.Background(), s.records.rec.Current)
		if err == nil || !strings.Contains(rotation.Hint(err), "--accept="+rotation.ConsentOwnership) {
			t.Errorf("%v (%s), want it refused, with what agrees to it", err, rotation.Hint(err))
		}
		if _, err := s.Run(context.Background(), rotation.Want{Compromised: true}); err == nil || !strings.Contains(err.Error(), "nothing entitles") {
			t.Errorf("%v, want the install refused too", err)
		}
		s.server.Agreed = func(kind string) bool { return kind == rotation.ConsentOwnership }
		s.replaced(t)
	})
}

// A clone of a leaked login takes over what can be taken over; what the login has come to own stays with a role that nobody comes in as.
func TestLeakedLoginThatIsCloned(t *testing.T) {
	for name, trick := range map[string]func(*stolen){
		"objects of its own": tricks["objects of its own"],
		"grants to others":   tricks["grants to others"],
		"SET role":           tricks["SET role"],
	} {
		t.Run(name, func(t *testing.T) {
			s := newStolen(t, false)
			s.server.Strategy = Clone
			trick(s)
			s.replaced(t)
			if got := s.Value(t, "postgres", "SELECT rolcanlogin::text || coalesce(rolpassword, '') FROM pg_authid WHERE rolname = 'backend'"); got != "false" {
				t.Errorf("the leaked login is %s", got)
			}
		})
	}
}

// A role that is no admin may hold the lock of all rotations, in any of them. It loses it.
func TestLockHeldByAnOrdinaryRole(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	var noted []string
	a.server.Note = func(text string) { noted = append(noted, text) }
	conn := openAs(t, a.Cluster, a.current, Application)
	a.as(conn, fmt.Sprintf("SELECT pg_advisory_lock(%d)", lockKey))
	a.must("install", a.server.Install(context.Background(), pass, c))
	if len(noted) == 0 || !strings.Contains(noted[0], "ended a session of "+a.owner) {
		t.Errorf("that its session was ended was said as %q", noted)
	}
}
