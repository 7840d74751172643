package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestRepliesAreReadStrictly(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"item", 200, `{"pod":"p","login":"backend"}`, ""},
		{"token", 201, `{"pod":"p","token":"x","key":"k"}`, ""},
		{"no login", 200, `{"pod":"p"}`, reasonMalformed},
		{"no pod", 200, `{"login":"backend"}`, reasonMalformed},
		{"not JSON", 200, `<html>`, reasonMalformed},
		{"the backend's own word", 500, `{"pod":"p","error":"login refused"}`, "status 500: login refused"},
		{"no word", 503, `unavailable`, "status 503"},
		{"redirect", 302, `{"pod":"p","login":"backend"}`, "status 302"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			defer s.Close()
			_, reason := newClient(Config{URL: s.URL}.withDefaults()).do(t.Context(), get(true))
			if reason != tt.want {
				t.Errorf("reason %q, want %q", reason, tt.want)
			}
		})
	}
}

func TestFailuresOfTheTransportAreClassed(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"closed at once", func(net.Conn) {}, reasonCutShort},
		{"reset", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, reasonReset},
		{"cut short", func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{") }, reasonCutShort},
		{"silent", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, reasonTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := listen(t, func(c net.Conn) {
				_, _ = http.ReadRequest(bufio.NewReader(c))
				tt.serve(c)
			})
			c := newClient(Config{URL: "http://" + addr, Timeout: 200 * time.Millisecond}.withDefaults())
			if _, reason := c.do(t.Context(), get(true)); reason != tt.want {
				t.Errorf("reason %q, want %q", reason, tt.want)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := newClient(Config{URL: "http://" + addr}.withDefaults())
	if _, reason := c.do(t.Context(), get(true)); reason != reasonRefused {
		t.Errorf("reason %q, want %q", reason, reasonRefused)
	}
}

// The server answers one request per connection and then closes it under the second, which net/http by itself
// would send again. Each must reach the server once, and fail.
func TestNothingIsSentTwiceOnAClosedKeptConnection(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			connections := make(chan struct{}, 10)
			addr := listen(t, func(c net.Conn) {
				connections <- struct{}{}
				r := bufio.NewReader(c)
				answer(r, c, `{"pod":"p","login":"backend"}`)
				_, _ = http.ReadRequest(r)
			})
			c := newClient(Config{URL: "http://" + addr}.withDefaults())
			q := get(false)
			q.method = method
			if _, reason := c.do(t.Context(), q); reason != "" {
				t.Fatalf("first request: %s", reason)
			}
			want := reasonCutShort + ", on a kept connection"
			if _, reason := c.do(t.Context(), q); reason != want {
				t.Errorf("reason %q, want %q", reason, want)
			}
			if n := len(connections); n != 1 {
				t.Errorf("%d connections, want 1: the request was sent again", n)
			}
		})
	}
}

func TestFreshRequestsShareNoConnection(t *testing.T) {
	connections := make(chan struct{}, 10)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) != "x" || r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, `{"pod":"p","login":"backend"}`)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(Config{URL: s.URL}.withDefaults())
	for _, fresh := range []bool{true, true, false, false} {
		q := request{method: http.MethodPost, path: "/items", body: "x", token: "t", fresh: fresh}
		if _, reason := c.do(t.Context(), q); reason != "" {
			t.Fatal(reason)
		}
	}
	if n := len(connections); n != 3 {
		t.Errorf("%d connections, want 3: two fresh ones, and one kept for two requests", n)
	}
}

func get(fresh bool) request {
	return request{method: http.MethodGet, path: "/items", fresh: fresh}
}

// listen accepts connections on loopback, hands each to serve and closes it.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

func answer(r *bufio.Reader, w io.Writer, body string) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
