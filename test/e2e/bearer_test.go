package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// close to its end a token is shown for the last time.
const closeToItsEnd = 150 * time.Millisecond

// bearers take a token a second, and show each to every pod there is, once a second and right before it expires.
type bearers struct {
	w    *world
	all  sync.WaitGroup
	mu   sync.Mutex
	pods []string       // addresses
	used map[string]int // how many tokens of each key were accepted right before their end
}

// kept has every token that the platform issues used to the end of its life: a pod that refuses one fails the test. The
// function that it gives ends that, and tells how many of each key were accepted right before their end.
func (w *world) kept() (stop func() map[string]int) {
	ctx, cancel := context.WithCancel(w.ctx)
	b := &bearers{w: w, used: map[string]int{}}
	end := func() map[string]int {
		cancel()
		b.all.Wait()
		return b.used
	}
	w.Cleanup(func() { end() })
	b.all.Go(func() {
		for ctx.Err() == nil {
			b.look(ctx)
			tick(ctx, 200*time.Millisecond)
		}
	})
	b.all.Go(func() {
		for ctx.Err() == nil {
			if token, ok := w.issued(ctx); ok {
				b.all.Go(func() { b.uses(ctx, token) })
			}
			tick(ctx, time.Second)
		}
	})
	return end
}

// look takes down the pods that there are, the terminating ones too.
func (b *bearers) look(ctx context.Context) {
	list, err := b.w.kube.CoreV1().Pods(b.w.ns).List(ctx, metav1.ListOptions{LabelSelector: "app=backend"})
	if err != nil {
		return
	}
	var pods []string
	for _, p := range list.Items {
		if p.Status.PodIP != "" {
			pods = append(pods, p.Status.PodIP)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pods = pods
}

// uses shows a token to every pod until it expires.
func (b *bearers) uses(ctx context.Context, token string) {
	claims := jwt.MapClaims{}
	t, _, err := jwt.NewParser().ParseUnverified(token, claims)
	if err != nil {
		b.w.Errorf("reading a token: %v", err)
		return
	}
	key, _ := t.Header["kid"].(string)
	end, err := claims.GetExpirationTime()
	if err != nil || end == nil {
		b.w.Errorf("a token has no end: %v", err)
		return
	}
	for last := end.Add(-closeToItsEnd); ; {
		left := time.Until(last)
		tick(ctx, min(left, time.Second))
		if ctx.Err() != nil {
			return
		}
		b.show(ctx, token, key, end.Time, left <= time.Second)
		if left <= time.Second {
			return
		}
	}
}

// show shows a token to every pod.
func (b *bearers) show(ctx context.Context, token, key string, end time.Time, last bool) {
	b.mu.Lock()
	pods := b.pods
	b.mu.Unlock()
	accepted := false
	for _, ip := range pods {
		status := answers(ctx, ip, token)
		accepted = accepted || status == http.StatusOK
		if left := time.Until(end); status == http.StatusUnauthorized && left > 0 {
			b.w.Errorf("pod %s refuses a token of %s that is valid for another %v", ip, key, left)
		}
	}
	if last && accepted {
		b.mu.Lock()
		b.used[key]++
		b.mu.Unlock()
	}
}

// issued is a token of the platform's.
func (w *world) issued(ctx context.Context) (token string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.platform.URL+"/login", nil)
	if err != nil {
		return "", false
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	var said struct{ Token string }
	err = json.NewDecoder(answer.Body).Decode(&said)
	return said.Token, err == nil && said.Token != ""
}
