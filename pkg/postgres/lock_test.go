package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// stalledInstall starts an install that stops in its fence until let go.
func (a *app) stalledInstall(c rotation.Credential, stall time.Duration) (letGo func() error) {
	a.t.Helper()
	s := a.via(viaScram)
	s.Stall = stall
	inside, wake, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- s.Install(context.Background(), func(context.Context) error {
			close(inside)
			<-wake
			return nil
		}, c)
	}()
	select {
	case <-inside:
	case err := <-result:
		a.t.Fatalf("the install ended before its fence: %v", err)
	}
	letGo = sync.OnceValue(func() error {
		close(wake)
		return <-result
	})
	a.t.Cleanup(func() { _ = letGo() })
	return letGo
}

func (a *app) generated() rotation.Credential {
	a.t.Helper()
	c, err := a.server.Generate(context.Background(), 2, a.current)
	a.must("generate", err)
	return c
}

// An operator stalls after its fence has said yes. Whoever looks next waits until that effect has ended, one way or the other;
// the server ends it, and when the operator wakes, nothing happens any more.
func TestStalledOperatorsEffectDoesNotHappen(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	letGo := a.stalledInstall(c, 200*time.Millisecond)
	a.stands(a.server, c, rotation.Absent, "no such role")
	err := letGo()
	if !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("the stalled effect ended with %v, want that it may be tried again", err)
	}
	a.stands(a.server, c, rotation.Absent, "no such role")
}

func TestStandingWaitsForAnEffectThatIsUnderWay(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	letGo := a.stalledInstall(c, 10*time.Second)
	looked := make(chan rotation.Status, 1)
	go func() {
		places, err := a.via(viaScram).Standing(context.Background(), c)
		if err != nil || len(places) == 0 {
			looked <- rotation.Unknown
			return
		}
		looked <- places[0].Status
	}()
	a.waiting()
	a.must("install", letGo())
	if got := <-looked; got != rotation.Accepts {
		t.Errorf("it was %s, want it to have been looked at after the effect", got)
	}
}

// waiting returns once somebody waits for the lock.
func (a *app) waiting() {
	a.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if a.Value(a.t, "postgres", "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0" {
			return
		}
	}
	a.t.Fatal("nobody waits for the lock")
}

func TestLockThatIsHeldNamesItsHolder(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	letGo := a.stalledInstall(c, 10*time.Second)
	other := a.via(viaScram)
	other.LockWait = 100 * time.Millisecond
	err := other.Install(context.Background(), pass, c)
	if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), Application+", pid ") {
		t.Errorf("%v, want that it may be tried again, and who holds the lock", err)
	}
	if _, err := other.Standing(context.Background(), c); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("%v, want that it may be tried again", err)
	}
	a.must("install", letGo())
	a.must("install again", other.Install(context.Background(), pass, c))
}

// The fence is asked inside the lock: a decision that was made while an effect waited is seen.
func TestFenceIsAskedAfterTheLockIsHad(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	letGo := a.stalledInstall(c, 10*time.Second)
	decided, result := make(chan struct{}), make(chan error, 1)
	stop := errors.New("somebody has decided otherwise")
	go func() {
		result <- a.via(viaScram).Revoke(context.Background(), func(context.Context) error {
			select {
			case <-decided:
				return stop
			default:
				return nil
			}
		}, c)
	}()
	a.waiting()
	close(decided)
	a.must("install", letGo())
	if err := <-result; !errors.Is(err, stop) {
		t.Errorf("%v, want the fence's error", err)
	}
	a.stands(a.server, c, rotation.Accepts, "login")
}

func TestFenceThatTakesTooLongIsGivenUp(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	a.server.Stall = 100 * time.Millisecond
	err := a.server.Install(context.Background(), func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, c)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the fence's deadline", err)
	}
	a.stands(a.server, c, rotation.Absent, "no such role")
}

const commit = "COMMIT\x00" // and not READ COMMITTED

// severed is a connection that breaks when a word is about to be sent, or has just been sent.
type severed struct {
	net.Conn
	word  string
	after bool
	cut   *bool
}

func (s severed) Write(p []byte) (int, error) {
	if *s.cut || !bytes.Contains(p, []byte(s.word)) {
		return s.Conn.Write(p)
	}
	*s.cut = true
	if s.after {
		if n, err := s.Conn.Write(p); err != nil {
			return n, err
		}
	}
	return 0, errors.Join(errors.New("killed"), s.Close())
}

// severing is a server whose first connection breaks at a word.
func (a *app) severing(word string, after bool) *Server {
	s := a.via(viaScram)
	s.TLS.Mode = TLSDisable
	cut, dial := false, s.Nodes[0].Dial
	s.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return severed{Conn: conn, word: word, after: after, cut: &cut}, err
	}
	return s
}

// A kill at any point, between CREATE and COMMIT too, leaves all or nothing, lets the lock go, and is mended by the same call.
func TestKillAnywhereLeavesAllOrNothing(t *testing.T) {
	words := []string{"BEGIN", "pg_advisory", "CREATE ROLE", "kubectl_rotate.verifier', $2", "DO $$", "COMMENT ON", "SET role", "work_mem", commit}
	for _, word := range words {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sent: %v", word, after), func(t *testing.T) {
				a := newApp(t)
				a.sql("postgres", fmt.Sprintf("ALTER ROLE %s SET work_mem TO '6MB'", ident(a.owner)))
				c := a.generated()
				s := a.severing(word, after)
				if err := s.Install(context.Background(), pass, c); !errors.Is(err, rotation.ErrUnavailable) {
					t.Errorf("%v, want that it may be tried again", err)
				}
				want := rotation.Absent
				if word == commit && after {
					want = rotation.Accepts
				}
				a.stands(a.server, c, want, "")
				a.must("install again", s.Install(context.Background(), pass, c))
				a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
			})
		}
	}
}

func TestKillWhileRevokingAndErasingIsMendedByTheSameCall(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	for _, word := range []string{"NOLOGIN", commit, "pg_terminate_backend"} {
		a.must("install", a.server.Install(ctx, pass, c))
		a.opened(c)
		s := a.severing(word, true)
		if err := s.Revoke(ctx, pass, c); err == nil {
			t.Errorf("killed at %s, and no error", word)
		}
		a.must("revoke again", s.Revoke(ctx, pass, c))
		a.stands(a.server, c, rotation.Quarantined, "")
		if left := a.uses(a.server, c); len(left) > 0 {
			t.Errorf("killed at %s: sessions are left: %v", word, left)
		}
	}
	for _, x := range []rotation.Credential{c, a.current} {
		a.must("revoke", a.server.Revoke(ctx, pass, x))
		s := a.severing(commit, true)
		if err := s.Erase(ctx, pass, x); err == nil {
			t.Error("killed, and no error")
		}
		a.must("erase again", s.Erase(ctx, pass, x))
		a.stands(a.server, x, rotation.Absent, "")
	}
}

func TestContextThatEndsWhileWaitingLeavesNothing(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	letGo := a.stalledInstall(c, 10*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	asked := false
	err := a.server.Revoke(ctx, func(context.Context) error { asked = true; return nil }, a.current)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rotation.ErrUnavailable) || asked {
		t.Errorf("%v, and the fence was asked: %v", err, asked)
	}
	a.must("install", letGo())
	a.stands(a.server, a.current, rotation.Accepts, "login")
}
