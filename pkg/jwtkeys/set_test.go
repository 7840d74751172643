package jwtkeys

import (
	"context"
	"crypto"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The examples of RFC 7638, section 3.1, and of RFC 8037, appendix A.3.
func TestThumbprintsAreThoseOfTheRFCs(t *testing.T) {
	for want, jwk := range map[string]string{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		o, err := readObject([]byte(jwk))
		if err != nil {
			t.Fatal(err)
		}
		public, err := publicOf(o)
		if got := thumbprint(public); err != nil || got != want {
			t.Errorf("thumbprint %s, %v; want %s", got, err, want)
		}
	}
}

// jwkOf is a private key as a JSON Web Key with more members, such as `"kid":"one"`.
func jwkOf(private any, more ...string) string {
	k := private.(crypto.Signer)
	members, err := publicJWK(k.Public())
	if err != nil {
		panic(err)
	}
	text := "{" + strings.Join(more, ",")
	for _, m := range append(members, privateJWK(k)...) {
		text += "," + `"` + m[0] + `":"` + m[1] + `"`
	}
	return strings.Replace(text, "{,", "{", 1) + "}"
}

func publicJWKOf(private any, more ...string) string {
	o, err := readObject([]byte(jwkOf(private, more...)))
	if err != nil {
		panic(err)
	}
	return string(o.without(privateMembers...).bytes())
}

func idOf(private any) string { return thumbprint(private.(crypto.Signer).Public()) }

// A new JSON Web Key says of itself what the one before did, but for its key id and what certified that.
func TestAnotherJWKStandsAsTheOneBefore(t *testing.T) {
	for name, c := range map[string]struct {
		private   func() any
		algorithm string
		more      []string
	}{
		"RSA":                   {newRSA, "RS256", []string{`"use":"sig"`}},
		"RSA that says its alg": {newRSA, "PS384", []string{`"alg":"PS384"`}},
		"P-256":                 {newP256, "ES256", []string{`"kid":"2024-01"`, `"key_ops":["sign"]`}},
		"P-521":                 {newP521, "ES512", nil},
		"Ed25519":               {newEd25519, "EdDSA", []string{`"alg":"EdDSA"`, `"x5t":"abc"`}},
	} {
		t.Run(name, func(t *testing.T) {
			value := jwkOf(c.private(), c.more...)
			next, err := Unasked{Layout: runbook}.Generate(context.Background(), 2, key(1, "jwt-secret-v1", value))
			if err != nil {
				t.Fatal(err)
			}
			k, err := read(next.Value.Reveal())
			if err != nil || k.algorithms()[0] != c.algorithm {
				t.Fatalf("%v, %v; want one for %s", k, err, c.algorithm)
			}
			was, _ := readObject([]byte(value))
			is, _ := readObject(next.Value.Reveal())
			for _, m := range was.without(slices.Concat(publicMembers, privateMembers, certificates, []string{"kid"})...) {
				if i := is.index(m.name); i < 0 || string(is[i].value) != string(m.value) {
					t.Errorf("%s is not kept", m.name)
				}
			}
			if was.has("kid") != is.has("kid") || is.has("kid") && is.text("kid") != thumbprint(k.public()) || is.has("x5t") {
				t.Errorf("it says: %s", maps.Collect(members(is.without(privateMembers...))))
			}
			r := k.readings()[0]
			token, err := jwt.New(jwt.GetSigningMethod(c.algorithm)).SignedString(r.sign)
			if err != nil || !signedWith(token, c.algorithm, r.verify) {
				t.Errorf("it does not sign: %v", err)
			}
		})
	}
}

func members(o object) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for _, m := range o {
			if !yield(m.name, string(m.value)) {
				return
			}
		}
	}
}

// mixed is a JSON Web Key with the public half of one key and the private half of another.
func mixed(one, other any) string {
	o, err := readObject([]byte(jwkOf(other)))
	if err != nil {
		panic(err)
	}
	members, err := publicJWK(one.(crypto.Signer).Public())
	if err != nil {
		panic(err)
	}
	for _, m := range members {
		o = o.with(m[0], m[1])
	}
	return string(o.bytes())
}

func TestJWKsThatAreRefused(t *testing.T) {
	private := newP256()
	good := jwkOf(private)
	for name, c := range map[string]struct{ value, want string }{
		"a public one":         {publicJWKOf(private), "is a public key, where the private key should be"},
		"a set":                {`{"keys":[` + good + `]}`, "is a set of keys"},
		"a secret":             {`{"kty":"oct","k":"c2VjcmV0"}`, "is a secret as a JSON Web Key"},
		"for encryption":       {jwkOf(private, `"use":"enc"`), "RFC 7517, section 4.2"},
		"for another alg":      {jwkOf(private, `"alg":"RS256"`), "RFC 7517, section 4.4"},
		"a member twice":       {jwkOf(private, `"kty":"EC"`), "RFC 7517, section 4"},
		"no JSON":              {good + "}", "RFC 7517, section 4"},
		"not on its curve":     {strings.Replace(good, "P-256", "P-384", 1), "RFC 7518, section 6"},
		"on no curve of a JWS": {strings.Replace(good, "P-256", "secp256k1", 1), "RFC 7518, section 3.1"},
		"too long":             {strings.Replace(good, `"d":"`, `"d":"AAAA`, 1), "RFC 7518, section 6"},
		"of two keys":          {mixed(private, newP256()), "RFC 7518, section 6"},
		"of two Ed25519 keys":  {mixed(newEd25519(), newEd25519()), "RFC 7518, section 6"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Judge(key(1, "jwt-secret-v1", c.value), "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("said: %v", err)
			}
			var all map[string]any
			_ = json.Unmarshal([]byte(good), &all)
			for _, name := range []string{"d", "x"} {
				if strings.Contains(err.Error(), all[name].(string)) {
					t.Errorf("its value is in %q", err)
				}
			}
		})
	}
}

// A rotation from the first key to the second, write by write, as who signs and who verifies see it.
func TestTheSetShowsOneViewAfterTheOther(t *testing.T) {
	old, next, foreign := newP256(), newP256(), newRSA()
	stranger := publicJWKOf(foreign, `"kid":"partner"`, `"alg":"RS256"`)
	entry := func(private any) string {
		return publicJWKOf(private, `"kid":"`+idOf(private)+`"`, `"use":"sig"`)
	}
	set := func(keys ...string) string {
		return `{"issuer":"https://id.example","keys":[` + strings.Join(keys, ",") + "]}\n"
	}
	for name, c := range map[string]struct {
		layout     Layout
		one, two   string // the private keys
		id1, id2   string
		data       func(active, other string) text // of who signs
		activeName string
	}{
		"the signer has one PEM": {layout: Layout{Key: "key.pem", Set: "jwks.json"}, one: pkcs8(t, old), two: pkcs8(t, next), id1: idOf(old), id2: idOf(next),
			data: func(active, _ string) text { return text{"key.pem": active} }},
		"the signer has one JWK": {layout: Layout{Key: "key.json", Set: "jwks.json"}, one: jwkOf(old, `"kid":"`+idOf(old)+`"`), two: jwkOf(next, `"kid":"`+idOf(next)+`"`), id1: idOf(old), id2: idOf(next),
			data: func(active, _ string) text { return text{"key.json": active} }},
		"the signer has numbered keys": {layout: Layout{Active: "active-key", Prefix: "jwt-secret-v", Set: "jwks.json"}, one: pkcs8(t, old), two: pkcs8(t, next), id1: "jwt-secret-v1", id2: "jwt-secret-v2"},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := key(1, c.id1, c.one), key(2, c.id2, c.two)
			signs := func(v rotation.Version, accepted ...rotation.Version) text {
				if c.data != nil {
					return c.data(map[rotation.Version]string{1: c.one, 2: c.two}[v], "")
				}
				all := text{"active-key": map[rotation.Version]string{1: c.id1, 2: c.id2}[v]}
				for _, a := range accepted {
					all[map[rotation.Version]string{1: c.id1, 2: c.id2}[a]] = map[rotation.Version]string{1: c.one, 2: c.two}[a]
				}
				return all
			}
			was := signs(1, 1)
			was["jwks.json"] = set(stranger, entry(old))
			for _, step := range []struct {
				view rotation.View
				set  string
			}{
				{view(1, 1), set(stranger, entry(old))},
				{view(1, 1, 2), set(stranger, entry(old), entry(next))},
				{view(2, 1, 2), set(stranger, entry(old), entry(next))},
				{view(2, 2), set(stranger, entry(next))},
			} {
				was = was.with(rendered(t, c.layout, step.view, live(first, second), was))
				want := signs(step.view.Active, step.view.Accept...)
				want["jwks.json"] = step.set
				if diff := cmp.Diff(want, was); diff != "" {
					t.Errorf("%v: %s", step.view, diff)
				}
				got, err := c.layout.Parse(was.data())
				if in := map[rotation.Version]rotation.Credential{1: first, 2: second}[step.view.Active]; err != nil || !got.Same(in) {
					t.Errorf("%v: the key in use is %s, %v; want %s", step.view, got.ID, err, in.ID)
				}
			}
			if !c.layout.Room(first) {
				t.Error("there is no room for a second key")
			}
		})
	}
}

// What names the kid goes with the key; a new one gets its thumbprint.
func TestAKidThatIsNamedGoesWithTheKey(t *testing.T) {
	l := Layout{Key: "key.pem", Active: "kid", Set: "jwks.json"}
	old := newEd25519()
	was := text{"key.pem": pkcs8(t, old), "kid": "2024-01\n", "jwks.json": `{"keys":[` + publicJWKOf(old, `"kid":"2024-01"`) + `]}`}
	current, err := l.Parse(was.data())
	if err != nil || current.ID != "2024-01" {
		t.Fatalf("%s, %v", current.ID, err)
	}
	current.V = 1
	next, err := Unasked{Layout: l}.Generate(context.Background(), 2, current)
	if err != nil {
		t.Fatal(err)
	}
	was = was.with(rendered(t, l, view(2, 2), live(current, next), was))
	k, _ := read(next.Value.Reveal())
	if kid := thumbprint(k.public()); next.ID != kid || was["kid"] != kid+"\n" || !strings.Contains(was["jwks.json"], kid) || strings.Contains(was["jwks.json"], "2024-01") {
		t.Errorf("the next key is called %s: %s, %s", next.ID, was["kid"], was["jwks.json"])
	}
	if now, err := l.Parse(was.data()); err != nil || !now.Same(next) {
		t.Errorf("the key in use is %s, %v", now.ID, err)
	}
}

// Where the kids of a set are the names of numbered keys, the next one is too.
func TestKidsThatAreNamesStaySo(t *testing.T) {
	l := runbook
	l.Set = "jwks.json"
	old, next := newP256(), newP256()
	was := text{"jwt-secret-v1": pkcs8(t, old), "active-key": "jwt-secret-v1", "jwks.json": `{"keys":[` + publicJWKOf(old, `"kid":"jwt-secret-v1"`) + `]}`}
	changes := rendered(t, l, view(2, 2), live(key(1, "jwt-secret-v1", pkcs8(t, old)), key(2, "jwt-secret-v2", pkcs8(t, next))), was)
	if want := `{"keys":[` + publicJWKOf(next, `"kid":"jwt-secret-v2"`) + `]}`; string(changes["jwks.json"]) != want {
		t.Errorf("the set became %s, want %s", changes["jwks.json"], want)
	}
}

func TestASetStaysIndented(t *testing.T) {
	l := Layout{Key: "key.pem", Set: "jwks.json"}
	old, next := newEd25519(), newEd25519()
	o, _ := readObject([]byte(publicJWKOf(old, `"kid":"`+idOf(old)+`"`)))
	list, _ := readObject([]byte(`{"keys":[` + string(o.bytes()) + `]}`))
	was := text{"key.pem": pkcs8(t, old), "jwks.json": string(list.like([]byte("{\n    \"keys\": []\n}")))}
	changes := rendered(t, l, view(1, 1, 2), live(key(1, idOf(old), pkcs8(t, old)), key(2, idOf(next), pkcs8(t, next))), was)
	got := string(changes["jwks.json"])
	if !strings.HasPrefix(got, strings.TrimSuffix(was["jwks.json"], "\n        }\n    ]\n}")) || !strings.Contains(got, "\n        {\n            \"kid\"") {
		t.Errorf("it became\n%s\nfrom\n%s", got, was["jwks.json"])
	}
}

// A set in which the key in use can't be told from others is refused before anything has changed.
func TestSetsThatAreRefused(t *testing.T) {
	private, other := newP256(), newP256()
	kid := `"kid":"` + idOf(private) + `"`
	for name, c := range map[string]struct{ set, want, hint string }{
		"without it":        {`{"keys":[` + publicJWKOf(other, kid) + `]}`, "does not hold the public half of the key in use", "add it with the kid " + idOf(private)},
		"without a kid":     {`{"keys":[` + publicJWKOf(private) + `]}`, "without a kid", "the kid of this key should be " + idOf(private)},
		"two with one kid":  {`{"keys":[` + publicJWKOf(private, kid) + "," + publicJWKOf(other, kid) + `]}`, "RFC 7517, section 4.5", "and no other key's"},
		"with another kid":  {`{"keys":[` + publicJWKOf(private, `"kid":"one"`) + `]}`, "RFC 7638", "jwt.active"},
		"for another alg":   {`{"keys":[` + publicJWKOf(private, kid, `"alg":"ES384"`) + `]}`, "RFC 7517, section 4.4", "correct its alg"},
		"for encryption":    {`{"keys":[` + publicJWKOf(private, kid, `"use":"enc"`) + `]}`, "RFC 7517, section 4.2", "correct its use"},
		"with private keys": {`{"keys":[` + jwkOf(private, kid) + `]}`, "whoever verifies can sign", "emergency-jwt"},
		"no set":            {publicJWKOf(private, kid), "RFC 7517, section 5", "jwt.set"},
		"no JSON":           {"keys", "RFC 7517, section 4", "jwt.set"},
		"as it should be":   {`{"keys":[` + publicJWKOf(private, kid) + "," + publicJWKOf(other, `"kid":"two"`) + `]}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Layout{Key: "key.pem", Set: "jwks.json"}.Parse(text{"key.pem": pkcs8(t, private), "jwks.json": c.set}.data())
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("said: %v", err)
			}
			if hint := rotation.Hint(err); !strings.Contains(hint, c.hint) || (err != nil) != (hint != "") {
				t.Errorf("%v: what to do is said as %q", err, hint)
			}
		})
	}
	if _, err := (Layout{Key: "secret", Set: "jwks.json"}).Parse(text{"secret": first, "jwks.json": `{"keys":[]}`}.data()); err == nil || !strings.Contains(err.Error(), "would give it away") {
		t.Errorf("a secret in a public set: %v", err)
	}
}

// Whoever has taken a stolen key out of the set already did right, and where it stands with its private half that is how it was stolen: the
// answer to the leak goes on from there. Any other rotation is refused.
func TestAStolenKeyMayStandInTheSetAsItDoes(t *testing.T) {
	rsa, ec := newRSA(), newP256()
	for _, apart := range []bool{false, true} {
		for _, c := range []struct {
			old      any
			set, alg string
		}{
			{rsa, "", ""},
			{ec, "", `"alg":"ES256"`},
			{ec, jwkOf(ec, `"kid":"`+idOf(ec)+`"`), ""},
		} {
			old, alg := c.old, c.alg
			l := Layout{Key: "key.pem", Set: "jwks.json", Apart: apart}
			was := text{"key.pem": pkcs8(t, old), "jwks.json": `{"keys":[` + c.set + `]}`}
			parse := func() (rotation.Credential, error) {
				c, err := l.Parse(was.data())
				if err == nil && apart {
					err = l.Shown(c, was.data())
				}
				return c, err
			}
			if _, err := parse(); err == nil {
				t.Error("nothing has leaked, and nobody asks")
			}
			l.Leaked = true
			current, err := parse()
			if err != nil || current.ID != idOf(old) {
				t.Fatalf("the key in use is %s, %v", current.ID, err)
			}
			current.V = 1
			next, err := Unasked{Layout: l}.Generate(t.Context(), 2, current)
			if err != nil {
				t.Fatal(err)
			}
			changes, err := l.ShowSet(view(2, 2), live(current, next), was.data())
			if err != nil {
				t.Fatal(err)
			}
			set := string(changes["jwks.json"])
			if !strings.Contains(set, next.ID) || strings.Contains(set, current.ID) || strings.Contains(set, `"d"`) || !strings.Contains(set, alg) || alg == "" && strings.Contains(set, "alg") {
				t.Errorf("the set became %s", set)
			}
		}
	}
}

// FuzzRead holds for any value: it is read without a panic, what can be read has another like it, and a set that is written again
// has as many keys.
func FuzzRead(f *testing.F) {
	ed, ec := newEd25519(), newP256()
	for _, seed := range []string{first, "changeme", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", sec1(ec), jwkOf(ed), jwkOf(ec, `"kid":"one"`),
		`{"keys":[` + publicJWKOf(ed, `"kid":"one"`) + `]}`, `{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB","p":"AQAB","q":"AQAB"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if d, err := readDocument(value); err == nil {
			if again, err := readDocument(d.bytes()); err != nil || len(again.keys) != len(d.keys) {
				t.Fatalf("a set of %d keys became one of %d: %v", len(d.keys), len(again.keys), err)
			}
		}
		k, err := read(value)
		if err != nil || strings.Contains(k.String(), "RSA") {
			return
		}
		c, err := Unasked{Layout: runbook}.Generate(context.Background(), 2, rotation.Credential{V: 1, ID: "jwt-secret-v1", Value: rotation.NewSecret(value)})
		if len(k.algorithms()) == 0 || len(value) == 0 {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		if again, err := read(c.Value.Reveal()); err != nil || again.String() != k.String() {
			t.Fatalf("%s became %v, %v", k, again, err)
		}
	})
}
