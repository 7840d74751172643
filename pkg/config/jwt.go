package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// JWT is a set of keys that tokens are signed with.
type JWT struct {
	// Active is the key of the Secret that names the key to sign with. Default: active-key.
	Active string `yaml:"active,omitempty"`
	// Prefix is what the names of signing keys begin with; a number comes after it. Default: jwt-secret-v.
	Prefix string `yaml:"prefix,omitempty"`
	// Key is the only signing key, where the Secret has no room for another one. It is replaced only where it has leaked, unless
	// verifiers are shown a set: then only who signs reads it, and active, if given, is the key of the Secret that holds its kid.
	Key string `yaml:"key,omitempty"`
	// Set is the key of the Secret with a JSON Web Key Set (JWKS, RFC 7517), which verifiers read. Its other keys stay. Default: none.
	Set string `yaml:"set,omitempty"`
	// SetIn is where that key stands, if not in the Secret of the signing key: secret/NAME or configmap/NAME, in the same
	// namespace. Who reads it counts as a consumer.
	SetIn string `yaml:"setIn,omitempty"`
	// Public is what the public halves of pairs are called, with a * for the number: jwt-public-v*. They are written with the
	// private keys. Default: as their private keys with .pub at the end, where the Secret has such.
	Public string `yaml:"public,omitempty"`
	// Algorithm is what tokens are signed with, RFC 7518: HS256, RS256, PS256, ES256, their longer kin, or EdDSA. Default: the
	// usual one of the key in use: HS256 for a secret, RS256 for an RSA key, for a key on a curve the one of that curve.
	Algorithm string `yaml:"algorithm,omitempty"`
	// Lifetime is how long the longest-lived token is valid; refresh tokens under the same key count. Default: as the tokens
	// say that the issue probe gets, else 15m.
	Lifetime Duration `yaml:"lifetime,omitempty"`
	// Leeway is how far past its end a verifier may still accept a token. Default: 1m.
	Leeway *Duration `yaml:"leeway,omitempty"`
	// Reloads says that consumers read the Secret again while they run, from a volume: none is restarted, unless a key has leaked. That
	// they have done so is seen by the probe; without one it is asked about.
	Reloads bool `yaml:"reloads,omitempty"`
	// Probe is how each pod is asked what it makes of a token. Default: none is, and nothing is proven.
	Probe *JWTProbe `yaml:"probe,omitempty"`
	// Sessions are what was opened with a token, to be ended once no pod accepts a key that has leaked. Default: none are.
	Sessions *Sessions `yaml:"sessions,omitempty"`
}

// Sessions are keys in a Redis or Valkey server.
type Sessions struct {
	// Patterns are what the keys of sessions are called, as SCAN has them: session:*. Required.
	Patterns []string `yaml:"patterns"`
	// Database is the number of the database they are in. Default: 0.
	Database int `yaml:"database,omitempty"`
	// Redis is the server. Default: as for kind redis.
	Redis Redis `yaml:"redis,omitempty"`
}

// JWTProbe says what each pod is asked, over a port-forward. Tokens that are sent live for a minute at most.
type JWTProbe struct {
	// Port is the port that the pods listen on. Required.
	Port int `yaml:"port"`
	// Scheme is http or https; a certificate is not looked at. Default: http.
	Scheme string `yaml:"scheme,omitempty"`
	// Verify is a request that is answered with 2xx where its bearer token is accepted, and with 401 or 403 where it is not. Required.
	Verify Request `yaml:"verify"`
	// Issue is a request that is answered with a token. Default: none; then the claims below have to do, and which key pods
	// sign with is not proven.
	Issue *IssueRequest `yaml:"issue,omitempty"`
	// Claims are what tokens need beside their times. Default: those of a token that was issued.
	Claims Claims `yaml:"claims,omitempty"`
	// Consumers are the workloads whose pods are asked, each as kind/name. Default: all consumers.
	Consumers []string `yaml:"consumers,omitempty"`
}

// Claims are what a verifier may want of a token, RFC 7519.
type Claims struct {
	// Issuer is the claim iss. Default: none.
	Issuer string `yaml:"iss,omitempty"`
	// Audience is the claim aud. Default: none.
	Audience string `yaml:"aud,omitempty"`
	// Subject is the claim sub. Default: kubectl-rotate.
	Subject string `yaml:"sub,omitempty"`
}

// Request is what to ask for.
type Request struct {
	// Method is that of HTTP. Default: GET, and POST for what issues.
	Method string `yaml:"method,omitempty"`
	// Path is asked for. Required; begins with a slash.
	Path string `yaml:"path"`
}

// IssueRequest is a request that is answered with a token.
type IssueRequest struct {
	// Method is that of HTTP. Default: POST.
	Method string `yaml:"method,omitempty"`
	// Path is asked for. Required; begins with a slash.
	Path string `yaml:"path"`
	// Body is the key of a Secret that holds the body of the request, as JSON: a login for a test user. Default: no body.
	Body *KeyRef `yaml:"body,omitempty"`
	// Field is the field of the JSON answer that holds the token. Default: token.
	Field string `yaml:"field,omitempty"`
	// Consumers are the workloads that issue tokens, each as kind/name; the others only verify. Default: all that are asked.
	Consumers []string `yaml:"consumers,omitempty"`
}

// KindJWT is a set of keys that tokens are signed with.
const KindJWT Kind = "jwt"

var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// defaultJWT is the keys of the runbook.
func defaultJWT() Target {
	return Target{
		Name:     "jwt",
		Kind:     KindJWT,
		Secret:   Secret{Name: "jwt-keys"},
		Owner:    "SRE",
		Interval: Duration{90 * Day},
		JWT:      &JWT{},
	}
}

// settleJWT adds the defaults that depend on what else is said.
func settleJWT(t Target) Target {
	j := t.JWT
	if j == nil {
		return t
	}
	if j.Key == "" {
		j.Active, j.Prefix = cmp.Or(j.Active, "active-key"), cmp.Or(j.Prefix, "jwt-secret-v")
	}
	if j.Leeway == nil {
		j.Leeway = &Duration{time.Minute}
	}
	if s := j.Sessions; s != nil {
		s.Redis = s.Redis.settle()
	}
	if p := j.Probe; p != nil {
		p.Scheme, p.Verify.Method = cmp.Or(p.Scheme, "http"), cmp.Or(p.Verify.Method, "GET")
		if p.Issue != nil {
			p.Issue.Method, p.Issue.Field = cmp.Or(p.Issue.Method, "POST"), cmp.Or(p.Issue.Field, "token")
		}
	}
	return t
}

func validateJWT(t Target, path *field.Path) (all field.ErrorList) {
	at := path.Child("jwt")
	j := t.JWT
	if j == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	all = append(all, t.onlyKeys(path)...)
	all = append(all, optional(j.Active, at.Child("active"), dataKey)...)
	all = append(all, optional(j.Prefix, at.Child("prefix"), dataKey)...)
	all = append(all, optional(j.Key, at.Child("key"), dataKey)...)
	if j.Public != "" {
		all = append(all, nameErrors(strings.Replace(j.Public, "*", "1", 1), at.Child("public"), dataKey)...)
		if (j.Key == "") != strings.Contains(j.Public, "*") {
			all = append(all, field.Invalid(at.Child("public"), j.Public, "a * stands for the number of the key, where keys are numbered"))
		}
	}
	all = append(all, optional(j.Set, at.Child("set"), dataKey)...)
	all = append(all, j.validateSetIn(t, at.Child("setIn"))...)
	if j.Key != "" && (j.Active != "" && j.Set == "" || j.Prefix != "") {
		all = append(all, field.Forbidden(at.Child("key"), "where there is one key alone, nothing names the active one"))
	}
	if j.Algorithm != "" && !slices.Contains(algorithms, j.Algorithm) {
		all = append(all, field.NotSupported(at.Child("algorithm"), j.Algorithm, algorithms))
	}
	all = append(all, j.Probe.validate(at.Child("probe"))...)
	return append(all, j.Sessions.validate(t, at.Child("sessions"))...)
}

// SetObject is what holds the set: its kind, secret or configmap, and its name; "" for the target's own Secret.
func (j *JWT) SetObject() (kind, name string) {
	kind, name, _ = strings.Cut(j.SetIn, "/")
	return kind, name
}

func (j *JWT) validateSetIn(t Target, path *field.Path) field.ErrorList {
	if j.SetIn == "" {
		return nil
	}
	kind, name := j.SetObject()
	switch {
	case j.Set == "":
		return field.ErrorList{field.Forbidden(path, "without jwt.set, which key of it holds the set is not known")}
	case kind != "secret" && kind != "configmap", kind == "secret" && name == t.Secret.Name:
		return field.ErrorList{field.Invalid(path, j.SetIn, "must be secret/NAME or configmap/NAME, and not the target's own Secret")}
	}
	return nameErrors(name, path, subdomain)
}

func (s *Sessions) validate(t Target, path *field.Path) (all field.ErrorList) {
	if s == nil {
		return nil
	}
	if len(s.Patterns) == 0 {
		all = append(all, field.Required(path.Child("patterns"), "which keys are sessions"))
	}
	for i, pattern := range s.Patterns {
		if strings.Trim(pattern, "*?") == "" {
			all = append(all, field.Invalid(path.Child("patterns").Index(i), pattern, "every key there is would go: name what sessions begin with"))
		}
	}
	if s.Database < 0 {
		all = append(all, field.Invalid(path.Child("database"), s.Database, "must not be negative"))
	}
	all = append(all, s.Redis.validateTLS(path.Child("redis"))...)
	all = append(all, s.Redis.validateNodes(path.Child("redis", "nodes"))...)
	return append(all, t.Server().validate(path.Child("redis"))...)
}

// settle is r with the defaults of what the file leaves out.
func (r Redis) settle() Redis {
	if r.Pod == "" && r.Address == "" {
		r.Pod = "redis-0"
	}
	r.Port, r.TLS, r.Admin.User = cmp.Or(r.Port, 6379), cmp.Or(r.TLS, "auto"), cmp.Or(r.Admin.User, "default")
	return r
}

// onlyKeys refuses what is said about a login: a set of keys has none.
func (t Target) onlyKeys(path *field.Path) (all field.ErrorList) {
	s, at := t.Secret, path.Child("secret")
	for _, f := range []struct{ name, value string }{
		{"username", s.Username}, {"password", s.Password}, {"login", s.Login}, {"dsn", s.DSN},
		{"copies", strings.Join(s.Copies, ",")}, {"ignore", strings.Join(s.Ignore, ",")},
	} {
		if f.value != "" {
			all = append(all, field.Forbidden(at.Child(f.name), "where the signing keys are is said under jwt"))
		}
	}
	if len(t.Also) > 0 {
		all = append(all, field.Forbidden(path.Child("also"), "signing keys are kept in one Secret"))
	}
	return all
}

func (p *JWTProbe) validate(path *field.Path) (all field.ErrorList) {
	if p == nil {
		return nil
	}
	if p.Port < 1 || p.Port > 65535 {
		all = append(all, field.Invalid(path.Child("port"), p.Port, "must be between 1 and 65535"))
	}
	if schemes := []string{"http", "https"}; !slices.Contains(schemes, p.Scheme) {
		all = append(all, field.NotSupported(path.Child("scheme"), p.Scheme, schemes))
	}
	all = append(all, pathErrors(p.Verify.Path, path.Child("verify", "path"))...)
	if i := p.Issue; i != nil {
		all = append(all, pathErrors(i.Path, path.Child("issue", "path"))...)
		all = append(all, i.Body.validate(path.Child("issue", "body"))...)
		for n, w := range i.Consumers {
			all = append(all, consumerErrors(w, path.Child("issue", "consumers").Index(n))...)
		}
	}
	for i, w := range p.Consumers {
		all = append(all, consumerErrors(w, path.Child("consumers").Index(i))...)
	}
	return all
}
