package lease

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// room is a namespace of a real cluster in which operators meet.
type room struct {
	*testing.T
	client    kubernetes.Interface
	namespace string
}

func newRoom(t *testing.T) *room {
	t.Helper()
	t.Parallel()
	path := os.Getenv("KUBECTL_ROTATE_KUBECONFIG")
	if path == "" {
		t.Skip("KUBECTL_ROTATE_KUBECONFIG does not name the kubeconfig of a cluster for tests")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	made, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "lease-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("removing namespace %s: %v", made.Name, err)
		}
	})
	return &room{T: t, client: client, namespace: made.Name}
}

// talk is what an operator was told.
type talk struct {
	mu    sync.Mutex
	lines []string
}

func (s *talk) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *talk) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.Join(s.lines, "\n"), text)
}

// operator is the Lease as somebody sees it who rotates on that host; it runs out after 3 s.
func (r *room) operator(user, host string, doing Doing) (*Lease, *talk) {
	told := &talk{}
	return &Lease{
		Leases: r.client.CoordinationV1(), Namespace: r.namespace, Secret: "db", Target: "postgres", Doing: doing, Wait: true,
		Me:  Holder{User: user, Host: host, PID: os.Getpid(), Machine: host},
		Say: told.say, duration: 3 * time.Second, period: 200 * time.Millisecond,
	}, told
}

func (r *room) take(l *Lease) *Held {
	r.Helper()
	held, err := l.Take(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { held.Release(context.Background()) })
	return held
}

// refused wants l to be refused because of somebody, with a next move.
func (r *room) refused(l *Lease, because string) {
	r.Helper()
	held, err := l.Take(r.Context())
	if err == nil {
		held.Release(r.Context())
	}
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(fmt.Sprint(err), because) || !strings.Contains(rotation.Hint(err), "kubectl rotate status postgres") {
		r.Errorf("%s: %v (%s); want a refusal because of %s", l.Me, err, rotation.Hint(err), because)
	}
}

func (r *room) await(what string, is func() bool) {
	r.Helper()
	end, tick := time.After(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-end:
			r.Fatalf("waiting until %s", what)
		case <-tick.C:
		}
	}
}

// One takes it; others, here and elsewhere, are told who; when it is given back, it is anybody's at once.
func TestOneAtATime(t *testing.T) {
	r := newRoom(t)
	alice, _ := r.operator("alice", "laptop", Rotating)
	held := r.take(alice)
	here, _ := r.operator("bob", "laptop", Rotating)
	r.refused(here, "alice on laptop, pid")
	there, told := r.operator("carol", "desk", Rotating)
	r.refused(there, "alice on laptop, pid")
	if !told.has("runs out in") {
		t.Errorf("no countdown: %q", told.lines)
	}
	there.Wait = false
	r.refused(there, "alice on laptop, pid")
	held.Release(t.Context())
	there.Wait = true
	r.take(there)
	if told.has("taking over") {
		t.Errorf("a Lease that was given back was somebody's: %q", told.lines)
	}
}

// It holds for as long as its holder is there, much longer than it would without; and no longer than it says.
func TestRenewed(t *testing.T) {
	r := newRoom(t)
	alice, _ := r.operator("alice", "laptop", Rotating)
	held := r.take(alice)
	begin := time.Now()
	r.await("more than its duration is over", func() bool { return time.Since(begin) > 4*time.Second })
	bob, told := r.operator("bob", "laptop", Rotating)
	r.refused(bob, "alice")
	held.stop() // as if it had died, on another host
	<-held.over
	bob.Me.Host, bob.Me.Machine = "desk", "desk"
	r.take(bob)
	if !told.has("waiting for a sign of life") || !told.has("taking over from alice on laptop, pid") || !told.has("not heard of since") {
		t.Errorf("not said: %q", told.lines)
	}
}

// An abort takes it from a rotation, which is told and goes on to meet its fence; it does not take it back.
func TestAbortGoesFirst(t *testing.T) {
	r := newRoom(t)
	alice, told := r.operator("alice", "laptop", Rotating)
	lost := r.take(alice)
	bob, _ := r.operator("bob", "desk", Aborting)
	r.take(bob)
	<-lost.over
	if !told.has("bob on desk, pid") {
		t.Errorf("who lost it is not told: %q", told.lines)
	}
	lost.Release(t.Context())
	carol, _ := r.operator("carol", "desk", Rotating)
	r.refused(carol, "bob on desk")
	r.refused(func() *Lease { l, _ := r.operator("dave", "desk", Aborting); return l }(), "taking back the rotation of postgres")
	leak, _ := r.operator("erin", "phone", Replacing)
	r.take(leak)
}

// A Lease that somebody has deleted is made again, and is still ours.
func TestDeletedLease(t *testing.T) {
	r := newRoom(t)
	alice, _ := r.operator("alice", "laptop", Rotating)
	r.take(alice)
	leases := r.client.CoordinationV1().Leases(r.namespace)
	if err := leases.Delete(t.Context(), alice.name(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.await("it is there again", func() bool {
		_, err := leases.Get(t.Context(), alice.name(), metav1.GetOptions{})
		return err == nil
	})
	bob, _ := r.operator("bob", "laptop", Rotating)
	r.refused(bob, "alice")
}

// A dead holder on the same machine is no reason to wait.
func TestDeadHolder(t *testing.T) {
	r := newRoom(t)
	alice, _ := r.operator("alice", "laptop", Rotating)
	alice.Me.PID = 1 << 30 // no process has that number
	alice.period = time.Hour
	r.take(alice)
	bob, told := r.operator("bob", "laptop", Rotating)
	r.take(bob)
	if !told.has("that process has ended") {
		t.Errorf("not said: %q", told.lines)
	}
}
