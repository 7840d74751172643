package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestDialEndsWithContext(t *testing.T) {
	for _, via := range []Via{ViaPortForward, ViaExec, ViaAuto} {
		t.Run(string(via), func(t *testing.T) {
			s := newAPIServer(t)
			s.hang = make(chan struct{})
			d := s.dialer(t)
			d.Via = via
			noLeak(t)
			t.Cleanup(func() { close(s.hang) })
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				await(t, "the request", func() bool { return len(s.seen()) > 0 })
				cancel()
			}()
			_, err := d.DialContext(ctx, "tcp", "127.0.0.1:5432")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("dial: %v, want %v", err, context.Canceled)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err = d.DialContext(ctx, "tcp", "127.0.0.1:5432")
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("dial: %v, want %v and the server named", err, context.DeadlineExceeded)
			}
		})
	}
}

// A server before 1.35 wants the verb get for a WebSocket: a Role with create alone must do.
func TestCreateAloneIsEnough(t *testing.T) {
	s := newAPIServer(t)
	s.deny("GET portforward")
	d := s.dialer(t)
	carriesBytesBothWays(t, dial(t, d, "tcp", server(t, "tcp", echo)))
	if d.Took() != ViaPortForward {
		t.Errorf("took %q", d.Took())
	}
	want := []string{"GET portforward websocket", "POST portforward spdy"}
	if diff := cmp.Diff(want, s.seen()); diff != "" {
		t.Error(diff)
	}
}

func TestAuto(t *testing.T) {
	type told struct {
		Via     Via
		Instead bool
	}
	start := func(t *testing.T) (*apiServer, *Dialer, *[]told) {
		s := newAPIServer(t)
		d := s.container(t, "dash", "perl")
		d.Via = ""
		var tellings []told
		d.OnTake = func(via Via, instead error) { tellings = append(tellings, told{via, instead != nil}) }
		return s, d, &tellings
	}
	expect := func(t *testing.T, d *Dialer, tellings *[]told, want ...told) {
		t.Helper()
		if last := want[len(want)-1].Via; d.Took() != last {
			t.Errorf("took %q, want %q", d.Took(), last)
		}
		if diff := cmp.Diff(want, *tellings); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("port-forward works", func(t *testing.T) {
		s, d, tellings := start(t)
		if d.Took() != "" {
			t.Errorf("took %q before any dial", d.Took())
		}
		address := server(t, "tcp", echo)
		carriesBytesBothWays(t, dial(t, d, "tcp", address))
		carriesBytesBothWays(t, dial(t, d, "tcp", address))
		expect(t, d, tellings, told{ViaPortForward, false})
		if diff := cmp.Diff([]string{"GET portforward websocket", "GET portforward websocket"}, s.seen()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("port-forward is forbidden", func(t *testing.T) {
		s, d, tellings := start(t)
		s.deny("GET portforward", "POST portforward")
		address := server(t, "tcp", echo)
		carriesBytesBothWays(t, dial(t, d, "tcp", address))
		asked := len(s.seen())
		carriesBytesBothWays(t, dial(t, d, "tcp", address))
		expect(t, d, tellings, told{ViaExec, true})
		if diff := cmp.Diff([]string{"GET exec websocket"}, s.seen()[asked:]); diff != "" {
			t.Errorf("the second dial tried again:\n%s", diff)
		}
	})
	t.Run("both are forbidden", func(t *testing.T) {
		s, d, tellings := start(t)
		s.deny("GET portforward", "POST portforward", "GET exec", "POST exec")
		_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:5432")
		for _, want := range []string{
			"create pods/portforward in namespace default", "create pods/exec in namespace default",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("dial: %v, want %q in it", err, want)
			}
		}
		if !apierrors.IsForbidden(err) || rotation.Hint(err) == "" {
			t.Errorf("dial: %v is not forbidden with a hint", err)
		}
		if len(*tellings) > 0 || d.Took() != "" {
			t.Errorf("took %q", d.Took())
		}
	})
	t.Run("a Unix socket needs exec", func(t *testing.T) {
		_, d, tellings := start(t)
		carriesBytesBothWays(t, dial(t, d, "unix", server(t, "unix", echo)))
		expect(t, d, tellings, told{ViaExec, true})
	})
	t.Run("a refused port leads to the socket", func(t *testing.T) {
		_, d, tellings := start(t)
		d.Socket = server(t, "unix", echo)
		if _, err := dial(t, d, "tcp", "127.0.0.1:1").Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("read: %v", err)
		}
		carriesBytesBothWays(t, dial(t, d, "tcp", "127.0.0.1:1"))
		expect(t, d, tellings, told{ViaPortForward, false}, told{ViaExec, true})
	})
	t.Run("a port that has answered before is only away", func(t *testing.T) {
		_, d, tellings := start(t)
		d.Socket = server(t, "unix", echo)
		carriesBytesBothWays(t, dial(t, d, "tcp", server(t, "tcp", echo)))
		for range 2 {
			if _, err := dial(t, d, "tcp", "127.0.0.1:1").Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("read: %v", err)
			}
		}
		expect(t, d, tellings, told{ViaPortForward, false})
	})
	t.Run("a refused port without a socket is just refused", func(t *testing.T) {
		s, d, tellings := start(t)
		c := dial(t, d, "tcp", "127.0.0.1:1")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("read: %v", err)
		}
		expect(t, d, tellings, told{ViaPortForward, false})
		if got := s.seen(); len(got) != 1 {
			t.Errorf("requests %v", got)
		}
	})
	t.Run("an open port is used although there is a socket", func(t *testing.T) {
		_, d, tellings := start(t)
		d.Socket = "/nowhere"
		carriesBytesBothWays(t, dial(t, d, "tcp", server(t, "tcp", echo)))
		expect(t, d, tellings, told{ViaPortForward, false})
	})
}

func TestDirect(t *testing.T) {
	s := newAPIServer(t)
	d := s.dialer(t)
	d.Via = ViaDirect
	carriesBytesBothWays(t, dial(t, d, "tcp", server(t, "tcp", echo)))
	if got := s.seen(); len(got) > 0 {
		t.Errorf("requests %v", got)
	}
}

// PostgreSQL's cancel request dials what RemoteAddr says.
func TestRemoteAddrCanBeDialedAgain(t *testing.T) {
	s := newAPIServer(t)
	d := s.dialer(t)
	c := dial(t, d, "tcp", server(t, "tcp", echo))
	again := dial(t, d, c.RemoteAddr().Network(), c.RemoteAddr().String())
	_, _ = io.WriteString(again, "x")
	if _, err := again.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestDialErrorsNameWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		pod       func(*corev1.Pod) *corev1.Pod
		container string
		want      []string
		hint      string
		is        func(error) bool
	}{
		"no pod": {
			pod:  func(*corev1.Pod) *corev1.Pod { return nil },
			want: []string{"pod default/server-0 does not exist"}, is: apierrors.IsNotFound,
		},
		"not running": {
			pod: func(p *corev1.Pod) *corev1.Pod {
				p.Status.Phase = corev1.PodPending
				p.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("db", "ImagePullBackOff")}
				return p
			},
			want: []string{"pod default/server-0 is Pending, not Running (ImagePullBackOff)"}, is: isUnavailable,
		},
		"no such container": {
			container: "sidecar", want: []string{`pod default/server-0 has no container "sidecar"`}, hint: "db, exporter",
		},
		"container not running": {
			container: "db",
			pod: func(p *corev1.Pod) *corev1.Pod {
				p.Status.ContainerStatuses = []corev1.ContainerStatus{waiting("db", "CrashLoopBackOff")}
				return p
			},
			want: []string{`container "db" of pod default/server-0 is not running (CrashLoopBackOff)`}, is: isUnavailable,
		},
		"forbidden": {
			want: []string{"not allowed to create pods/portforward in namespace default", "create pods/exec"},
			hint: "kubectl rotate rbac", is: apierrors.IsForbidden,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAPIServer(t)
			s.deny("GET portforward", "POST portforward", "GET exec", "POST exec")
			if c.pod != nil {
				s.pod = c.pod(s.pod)
			}
			d := s.dialer(t)
			d.Container = c.container
			_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:5432")
			if err == nil {
				t.Fatal("dialed")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q in it", err, want)
				}
			}
			if c.is != nil && !c.is(err) {
				t.Errorf("%v is not of its kind", err)
			}
			if !strings.Contains(rotation.Hint(err), c.hint) {
				t.Errorf("hint %q, want %q in it", rotation.Hint(err), c.hint)
			}
		})
	}
}

func isUnavailable(err error) bool { return errors.Is(err, rotation.ErrUnavailable) }

func waiting(container, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: container, State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: reason},
	}}
}

func TestDialUnauthorized(t *testing.T) {
	s := newAPIServer(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		s.routes[method+" "+podPath+"/portforward"] = func(w http.ResponseWriter, _ *http.Request) {
			writeStatus(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
		}
	}
	d := s.dialer(t)
	d.Via = ViaPortForward
	_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:5432")
	if err == nil || !strings.Contains(err.Error(), `does not accept the credentials of user "sre"`) {
		t.Errorf("dial: %v", err)
	}
}

func TestDialWithoutServer(t *testing.T) {
	s := newAPIServer(t)
	d := s.dialer(t)
	s.listener.Close()
	_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:5432")
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), s.URL) || rotation.Hint(err) == "" {
		t.Errorf("dial: %v, hint %q", err, rotation.Hint(err))
	}
}

func TestAddressesThatCannotBeDialed(t *testing.T) {
	d := newAPIServer(t).dialer(t)
	for _, c := range [][2]string{{"udp", "x:1"}, {"tcp", "x"}, {"tcp", "x:0"}, {"tcp", "x:http"}, {"tcp", "x:70000"}} {
		if _, err := d.DialContext(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("%v was dialed", c)
		}
	}
	d.Via = "pigeon"
	if _, err := d.DialContext(t.Context(), "tcp", "x:1"); err == nil || !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("dial: %v", err)
	}
}

func TestWatchedFailsOnSilence(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	w := watch(near)
	w.silence = time.Millisecond
	if _, err := w.Read(make([]byte, 1)); err == nil || !w.failed.Load() {
		t.Errorf("read: %v, failed %v", err, w.failed.Load())
	}
}
