package jwtkeys

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// service is a pod that signs and verifies.
type service struct {
	keys   map[string]string // by key id
	active string
	alg    string
	said   string // what the configuration says of that
	decode bool   // the keys are base64 to it
	nokid  bool   // its tokens have no key id, and it tries all keys
	naive  bool   // it believes what a token says of its algorithm
	mixed  bool   // it takes its public key for a secret, where a token says so
	eager  bool   // it looks at no time
	broken bool   // it answers 500 to whatever token
	mute   bool   // it issues nothing
	aud    string
	life   time.Duration
}

// key is what a text is to it, to sign with and to verify.
func (s service) key(text string) (sign, verify any) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		private, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
		return private, private.(crypto.Signer).Public()
	}
	if s.decode {
		b, _ := base64.StdEncoding.DecodeString(text)
		return b, b
	}
	return []byte(text), []byte(text)
}

func (s service) issue() string {
	now := time.Now()
	claims := jwt.MapClaims{"sub": "somebody", "iat": now.Unix(), "exp": now.Add(s.life).Unix()}
	if s.aud != "" {
		claims["aud"] = s.aud
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(s.alg), claims)
	if !s.nokid {
		t.Header["kid"] = s.active
	}
	key, _ := s.key(s.keys[s.active])
	text, _ := t.SignedString(key)
	return text
}

func (s service) verify(token string) error {
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{s.alg})}
	if s.naive {
		options = []jwt.ParserOption{jwt.WithValidMethods([]string{s.alg, "none"})}
	}
	if s.mixed {
		options = []jwt.ParserOption{jwt.WithValidMethods([]string{s.alg, "HS256"})}
	}
	if s.eager {
		options = append(options, jwt.WithoutClaimsValidation())
	}
	if s.aud != "" {
		options = append(options, jwt.WithAudience(s.aud))
	}
	err := errors.New("no key")
	for kid, text := range s.keys {
		_, one := jwt.Parse(token, func(t *jwt.Token) (any, error) {
			if t.Method.Alg() == "none" {
				return jwt.UnsafeAllowNoneSignatureType, nil
			}
			if !s.nokid && t.Header["kid"] != kid {
				return nil, errors.New("another key")
			}
			_, key := s.key(text)
			if t.Method.Alg() == "HS256" && s.mixed {
				der, _ := x509.MarshalPKIXPublicKey(key)
				return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
			}
			return key, nil
		}, options...)
		if one == nil {
			return nil
		}
		err = one
	}
	return err
}

func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case r.URL.Path == "/login" && s.mute:
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == "/login":
		_ = json.NewEncoder(w).Encode(map[string]string{"token": s.issue()})
	case s.broken:
		w.WriteHeader(http.StatusInternalServerError)
	case s.verify(token) != nil:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// asking is a system whose one pod is s.
func asking(t *testing.T, s service) *Asked {
	t.Helper()
	pod := httptest.NewServer(s)
	t.Cleanup(pod.Close)
	return &Asked{
		Unasked: Unasked{Layout: runbook, Algorithm: s.said}, Scheme: "http", Port: 8080,
		Verify: Request{http.MethodGet, "/me"}, Issue: &Request{http.MethodPost, "/login"}, Field: "token",
		Dial: func(string, string) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, pod.Listener.Addr().String())
			}
		},
	}
}

func pods(p ...rotation.Pod) []rotation.Workload {
	return []rotation.Workload{{Name: "deployment/backend", Desired: len(p), Pods: p}}
}

// ask gives what the one pod made of the versions.
func ask(t *testing.T, a *Asked, want rotation.Wanted) rotation.Reply {
	t.Helper()
	replies, err := a.Probe(context.Background(), pods(rotation.Pod{Name: "backend-0", Ready: true}), want)
	if err != nil || len(replies) != 1 {
		t.Fatalf("%v, %v", replies, err)
	}
	return replies[0]
}

const (
	first  = "2Jxnvz1b0yTGWQmEjN8wXv9nQhXnq8m8b5k7V0s6jF4="
	second = "q8m8b5k7V0s6jF42Jxnvz1b0yTGWQmEjN8wXv9nQhXn="
)

var (
	v1 = key(1, "jwt-secret-v1", first)
	v2 = key(2, "jwt-secret-v2", second)
)

func TestPodsAreProvenByTokens(t *testing.T) {
	both := map[string]string{"jwt-secret-v1": first, "jwt-secret-v2": second}
	distributed := rotation.Wanted{Accept: []rotation.Credential{v2, v1}}
	active := rotation.Wanted{Accept: []rotation.Credential{v2}, Sign: &v2}
	forgotten := rotation.Wanted{Accept: []rotation.Credential{v2}, Refuse: []rotation.Credential{v1}}
	only2 := map[string]string{"jwt-secret-v2": second}
	for name, c := range map[string]struct {
		pod    service
		want   rotation.Wanted
		status rotation.Status
		proof  string
	}{
		"it knows both":                  {service{keys: both, active: "jwt-secret-v1"}, distributed, rotation.Accepts, "accepts jwt-secret-v2, accepts jwt-secret-v1"},
		"it knows the old one alone":     {service{keys: map[string]string{"jwt-secret-v1": first}, active: "jwt-secret-v1"}, distributed, rotation.Altered, "refuses jwt-secret-v2"},
		"it signs with the new one":      {service{keys: both, active: "jwt-secret-v2"}, active, rotation.Accepts, "issues under jwt-secret-v2"},
		"it still signs with the old":    {service{keys: both, active: "jwt-secret-v1"}, active, rotation.Altered, "issues under another key"},
		"it refuses the old one":         {service{keys: only2, active: "jwt-secret-v2"}, forgotten, rotation.Accepts, "refuses jwt-secret-v1"},
		"it still accepts the old one":   {service{keys: both, active: "jwt-secret-v2"}, forgotten, rotation.Altered, "still accepts jwt-secret-v1"},
		"its keys are decoded":           {service{keys: only2, active: "jwt-secret-v2", decode: true}, forgotten, rotation.Accepts, "refuses jwt-secret-v1"},
		"its tokens have no key id":      {service{keys: both, active: "jwt-secret-v2", nokid: true}, forgotten, rotation.Altered, "still accepts jwt-secret-v1"},
		"it wants an audience":           {service{keys: only2, active: "jwt-secret-v2", aud: "orders"}, forgotten, rotation.Accepts, ""},
		"it believes in alg none":        {service{keys: both, active: "jwt-secret-v2", naive: true}, active, rotation.Altered, "RFC 8725"},
		"it looks at no end":             {service{keys: both, active: "jwt-secret-v2", eager: true}, active, rotation.Altered, "expired a day ago"},
		"it fails whatever it is asked":  {service{keys: only2, active: "jwt-secret-v2", broken: true}, forgotten, rotation.Unknown, "status 500, which says nothing"},
		"it signs by another algorithm":  {service{keys: both, active: "jwt-secret-v2", alg: "HS512", said: "HS256"}, active, rotation.Altered, "“HS512”, and not with HS256"},
		"its key ids are shorter":        {service{keys: map[string]string{"v1": first, "v2": second}, active: "v1"}, distributed, rotation.Accepts, ""},
		"one with a shorter id is there": {service{keys: map[string]string{"v1": first, "v2": second}, active: "v2"}, forgotten, rotation.Altered, "still accepts"},
	} {
		t.Run(name, func(t *testing.T) {
			c.pod.life = 15 * time.Minute
			if c.pod.alg == "" {
				c.pod.alg = "HS256"
			}
			got := ask(t, asking(t, c.pod), c.want)
			if got.Status != c.status || !strings.Contains(got.Proof, c.proof) {
				t.Errorf("%s (%s), want %s (%s)", got.Status, got.Proof, c.status, c.proof)
			}
		})
	}
}

// Pods that sign with a pair of keys are asked as those with a secret are, and by the algorithm that goes with the key.
func TestPodsWithPairsAreProvenByTokens(t *testing.T) {
	for alg, make := range map[string]func() any{"RS256": newRSA, "PS256": newRSA, "ES256": newP256, "ES384": newP384, "EdDSA": newEd25519} {
		t.Run(alg, func(t *testing.T) {
			one, two := pkcs8(t, make()), pkcs8(t, make())
			old, next := key(1, "jwt-secret-v1", one), key(2, "jwt-secret-v2", two)
			both := map[string]string{"jwt-secret-v1": one, "jwt-secret-v2": two}
			for _, c := range []struct {
				pod    service
				want   rotation.Wanted
				status rotation.Status
				proof  string
			}{
				{service{keys: both, active: "jwt-secret-v1"}, rotation.Wanted{Accept: []rotation.Credential{next, old}}, rotation.Accepts, "accepts jwt-secret-v1"},
				{service{keys: map[string]string{"jwt-secret-v1": one}, active: "jwt-secret-v1"}, rotation.Wanted{Accept: []rotation.Credential{next}}, rotation.Altered, "refuses jwt-secret-v2"},
				{service{keys: both, active: "jwt-secret-v2"}, rotation.Wanted{Accept: []rotation.Credential{next}, Sign: &next}, rotation.Accepts, "issues under jwt-secret-v2"},
				{service{keys: both, active: "jwt-secret-v1"}, rotation.Wanted{Accept: []rotation.Credential{next, old}, Sign: &next}, rotation.Altered, "issues under jwt-secret-v1, and not under jwt-secret-v2"},
				{service{keys: both, active: "jwt-secret-v2"}, rotation.Wanted{Accept: []rotation.Credential{next}, Refuse: []rotation.Credential{old}}, rotation.Altered, "still accepts jwt-secret-v1"},
				{service{keys: both, active: "jwt-secret-v2", mixed: true}, rotation.Wanted{Accept: []rotation.Credential{next}}, rotation.Altered, "section 2.1"},
			} {
				c.pod.life, c.pod.alg = time.Minute, alg
				if alg == "PS256" {
					c.pod.said = alg // a key does not say by which of its algorithms it signs
				}
				if got := ask(t, asking(t, c.pod), c.want); got.Status != c.status || !strings.Contains(got.Proof, c.proof) {
					t.Errorf("%s (%s), want %s (%s)", got.Status, got.Proof, c.status, c.proof)
				}
			}
		})
	}
}

// Of a key that can't be read no token can be made: that nobody accepts one proves nothing.
func TestAKeyThatCannotBeReadProvesNothing(t *testing.T) {
	a := asking(t, service{keys: map[string]string{"jwt-secret-v2": second}, active: "jwt-secret-v2", alg: "HS256", life: time.Minute})
	broken := key(1, "jwt-secret-v1", "-----BEGIN PRIVATE KEY-----")
	if got := ask(t, a, rotation.Wanted{Accept: []rotation.Credential{v2}, Refuse: []rotation.Credential{broken}}); got.Status != rotation.Unproven {
		t.Errorf("%s (%s)", got.Status, got.Proof)
	}
}

// Without a request that issues, the usual claims and key ids are tried, and which key a pod signs with is not proven.
func TestPodsThatIssueNothing(t *testing.T) {
	a := asking(t, service{keys: map[string]string{"v1": first, "v2": second}, active: "v1", alg: "HS256", aud: "orders"})
	a.Issue, a.Claims = nil, map[string]any{"aud": "orders"}
	if got := ask(t, a, rotation.Wanted{Accept: []rotation.Credential{v1, v2}}); got.Status != rotation.Accepts {
		t.Errorf("%s (%s)", got.Status, got.Proof)
	}
	if got := ask(t, a, rotation.Wanted{Accept: []rotation.Credential{v2}, Sign: &v2}); got.Status != rotation.Unproven {
		t.Errorf("what it signs with: %s (%s)", got.Status, got.Proof)
	}
	unknown := key(3, "jwt-secret-v3", "another value altogether, and a long one")
	if got := ask(t, a, rotation.Wanted{Accept: []rotation.Credential{unknown}, Sign: &unknown}); got.Status != rotation.Altered {
		t.Errorf("a key that it refuses: %s (%s)", got.Status, got.Proof)
	}
	if life, err := a.Lifetime(context.Background(), nil); life != DefaultLifetime || err != nil {
		t.Errorf("valid for %v, %v", life, err)
	}
}

func TestLifetimeIsReadFromAToken(t *testing.T) {
	a := asking(t, service{keys: map[string]string{"jwt-secret-v1": first}, active: "jwt-secret-v1", alg: "HS256", life: 20 * time.Second})
	a.Leeway = time.Second
	ready := pods(rotation.Pod{Name: "leaving", Terminating: true}, rotation.Pod{Name: "backend-0", Ready: true})
	if life, err := a.Lifetime(context.Background(), ready); life != 21*time.Second || err != nil {
		t.Errorf("valid for %v, %v; want 20 s and the leeway", life, err)
	}
	a.Lives = time.Hour // a refresh token's
	if life, err := a.Lifetime(context.Background(), ready); life != time.Hour+time.Second || err != nil {
		t.Errorf("valid for %v, %v; want what is said of the longest", life, err)
	}
	if _, err := a.Lifetime(context.Background(), nil); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("with nobody to ask: %v", err)
	}
}

// Where some pods issue and others verify alone, as with a set of public keys, those are asked about tokens like the ones that are
// issued, and not about what they sign with.
func TestPodsThatVerifyAlone(t *testing.T) {
	both := map[string]string{"jwt-secret-v1": first, "jwt-secret-v2": second}
	issuer := service{keys: both, active: "jwt-secret-v2", alg: "HS256", aud: "orders", life: time.Minute}
	verifier := issuer
	verifier.mute = true
	a := asking(t, issuer)
	there := httptest.NewServer(verifier)
	t.Cleanup(there.Close)
	way := a.Dial
	a.Dial = func(workload, pod string) func(context.Context, string, string) (net.Conn, error) {
		if workload == "deployment/backend" {
			return way(workload, pod)
		}
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, there.Listener.Addr().String())
		}
	}
	a.Issues = func(workload string) bool { return workload == "deployment/backend" }
	issuing, verifying := pods(rotation.Pod{Name: "backend-0", Ready: true})[0], rotation.Workload{Name: "deployment/shop", Pods: []rotation.Pod{{Name: "shop-0", Ready: true}}}
	want := rotation.Wanted{Accept: []rotation.Credential{v2, v1}, Sign: &v2}
	replies, err := a.Probe(t.Context(), []rotation.Workload{verifying}, want)
	if err != nil || replies[0].Status != rotation.Unknown {
		t.Errorf("before a token was issued: %v, %v", replies, err)
	}
	replies, err = a.Probe(t.Context(), []rotation.Workload{verifying, issuing}, want)
	if err != nil || replies[0].Status != rotation.Accepts || replies[1].Status != rotation.Accepts {
		t.Fatalf("replies: %v, %v", replies, err)
	}
	if strings.Contains(replies[0].Proof, "issues") || !strings.Contains(replies[1].Proof, "issues under jwt-secret-v2") {
		t.Errorf("proofs: %q, %q", replies[0].Proof, replies[1].Proof)
	}
	if life, err := a.Lifetime(t.Context(), []rotation.Workload{verifying, issuing}); life != time.Minute || err != nil {
		t.Errorf("valid for %v, %v", life, err)
	}
}

// Whoever can't be asked is named, and passes for nothing.
func TestPodsThatCannotBeAsked(t *testing.T) {
	a := asking(t, service{keys: map[string]string{"jwt-secret-v1": first}, active: "jwt-secret-v1", alg: "HS256", life: time.Minute})
	a.Covers = func(workload string) bool { return workload == "deployment/backend" }
	replies, err := a.Probe(context.Background(), []rotation.Workload{
		{Name: "deployment/backend", Pods: []rotation.Pod{{Name: "new"}, {Name: "ready", Ready: true}}},
		{Name: "deployment/batch", Pods: []rotation.Pod{{Name: "batch", Ready: true}}},
	}, rotation.Wanted{Accept: []rotation.Credential{v1}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]rotation.Status{}
	for _, r := range replies {
		got[r.Pod] = r.Status
	}
	if got["new"] != rotation.Unknown || got["ready"] != rotation.Accepts || got["batch"] != rotation.Unproven {
		t.Errorf("replies: %v", replies)
	}
	a.Dial = func(string, string) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no way there") }
	}
	if r := ask(t, a, rotation.Wanted{Accept: []rotation.Credential{v1}}); r.Status != rotation.Unknown || !strings.Contains(r.Proof, "no way there") {
		t.Errorf("%s (%s)", r.Status, r.Proof)
	}
}

// A probe that does not see the key in use would prove nothing later.
func TestPreflightWantsTheKeyInUseToShow(t *testing.T) {
	a := asking(t, service{keys: map[string]string{"jwt-secret-v1": "another value altogether, and a long one"}, active: "jwt-secret-v1", alg: "HS256", life: time.Minute})
	ready := pods(rotation.Pod{Name: "backend-0", Ready: true})
	if _, err := a.Preflight(context.Background(), ready, v1); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "backend-0") {
		t.Errorf("%v", err)
	}
	if _, err := a.Preflight(context.Background(), pods(rotation.Pod{Name: "backend-0"}), v1); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("with nobody to ask: %v", err)
	}
}

// A pod that issues what it likes has none of it signed with a key that it does not hold: no token with its claims is minted, for itself
// or for others.
func TestNoClaimsOfAStrangerAreSigned(t *testing.T) {
	for name, issues := range map[string]func(string) bool{"all issue": nil, "one workload issues": func(w string) bool { return w == "deployment/backend" }} {
		t.Run(name, func(t *testing.T) {
			var heard sync.Map
			serve := func(s service, sub string) string {
				pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if token, sent := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); sent {
						heard.Store(token, true)
					}
					if r.URL.Path == "/login" && sub != "" {
						made := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": sub, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
						made.Header["kid"] = "k1"
						text, _ := made.SignedString([]byte("whatever it has at hand"))
						_ = json.NewEncoder(w).Encode(map[string]string{"token": text})
						return
					}
					s.ServeHTTP(w, r)
				}))
				t.Cleanup(pod.Close)
				return pod.Listener.Addr().String()
			}
			key := strings.Repeat("k", 64)
			honest := service{keys: map[string]string{"k1": key}, active: "k1", alg: "HS256", life: time.Hour}
			at := map[string]string{"evil": serve(honest, "admin"), "good": serve(honest, "")}
			a := asking(t, honest)
			a.Issues = issues
			a.Dial = func(_, pod string) func(context.Context, string, string) (net.Conn, error) {
				return func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, at[pod])
				}
			}
			one := rotation.Credential{V: 1, ID: "k1", Value: rotation.NewSecret([]byte(key))}
			two := pods(rotation.Pod{Name: "evil", Ready: true}, rotation.Pod{Name: "good", Ready: true})
			if _, err := a.Lifetime(t.Context(), two); err != nil {
				t.Fatal(err)
			}
			for range 2 { // what was learnt the first time would be used the second
				for _, sign := range []*rotation.Credential{nil, &one} {
					if _, err := a.Probe(t.Context(), two, rotation.Wanted{Accept: []rotation.Credential{one}, Sign: sign}); err != nil {
						t.Fatal(err)
					}
				}
			}
			n := 0
			heard.Range(func(token, _ any) bool {
				claims := jwt.MapClaims{}
				if _, _, err := jwt.NewParser().ParseUnverified(token.(string), claims); err != nil {
					t.Error(err)
				}
				if claims["sub"] == "admin" {
					t.Errorf("a token was made with the stranger's claims: %v", claims)
				}
				n++
				return true
			})
			if n == 0 {
				t.Error("no pod was sent a token")
			}
		})
	}
}

// In an emergency a pod is judged by what it makes of the stolen key. All else that is wrong with it is told, and holds nothing up;
// at any other time it does.
func TestInAnEmergencyTheStolenKeyDecides(t *testing.T) {
	both := map[string]string{"jwt-secret-v1": first, "jwt-secret-v2": second}
	only2 := map[string]string{"jwt-secret-v2": second}
	for name, c := range map[string]struct {
		pod    service
		status rotation.Status // in an emergency
		proof  string
		faults []string
	}{
		"nothing else is wrong":               {service{keys: only2}, rotation.Accepts, "refuses jwt-secret-v1", nil},
		"it accepts expired tokens":           {service{keys: only2, eager: true}, rotation.Accepts, "refuses jwt-secret-v1", []string{"expired a day ago"}},
		"it accepts tokens without signature": {service{keys: only2, naive: true}, rotation.Accepts, "refuses jwt-secret-v1", []string{"alg none"}},
		"it accepts both": {service{keys: only2, naive: true, eager: true}, rotation.Accepts, "refuses jwt-secret-v1",
			[]string{"alg none", "expired a day ago"}},
		"it signs by another algorithm": {service{keys: only2, alg: "HS512", said: "HS256", eager: true}, rotation.Altered, "refuses jwt-secret-v2", []string{"HS512"}},
		"it still accepts the stolen key, and expired tokens": {service{keys: both, eager: true}, rotation.Altered, "still accepts jwt-secret-v1",
			[]string{"expired a day ago"}},
		"it knows the stolen key alone": {service{keys: map[string]string{"jwt-secret-v1": first}}, rotation.Altered, "refuses jwt-secret-v2", nil},
		"it fails whatever it is asked": {service{keys: only2, broken: true}, rotation.Unknown, "status 500", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.pod.life, c.pod.active = 15*time.Minute, "jwt-secret-v2"
			if c.pod.keys["jwt-secret-v2"] == "" {
				c.pod.active = "jwt-secret-v1"
			}
			if c.pod.alg == "" {
				c.pod.alg = "HS256"
			}
			want := rotation.Wanted{Accept: []rotation.Credential{v2}, Refuse: []rotation.Credential{v1}, Urgent: true}
			got := ask(t, asking(t, c.pod), want)
			if got.Status != c.status || !strings.Contains(got.Proof, c.proof) || len(got.Faults) != len(c.faults) {
				t.Errorf("%s (%s), faults %q; want %s (%s), %q", got.Status, got.Proof, got.Faults, c.status, c.proof, c.faults)
			}
			for i := range min(len(got.Faults), len(c.faults)) {
				if !strings.Contains(got.Faults[i], c.faults[i]) {
					t.Errorf("fault %q, want %q", got.Faults[i], c.faults[i])
				}
			}
			want.Urgent = false
			got = ask(t, asking(t, c.pod), want)
			if len(got.Faults) > 0 || (got.Status == rotation.Accepts) != (c.status == rotation.Accepts && len(c.faults) == 0) {
				t.Errorf("at any other time: %s (%s), %q", got.Status, got.Proof, got.Faults)
			}
		})
	}
}
