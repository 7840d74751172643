package postgres

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The exchange of RFC 7677, section 3.
func TestVerifierIsThatOfTheRFC(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	v := scram{iterations: 4096, salt: salt}
	if err := v.derive([]byte("pencil")); err != nil {
		t.Fatal(err)
	}
	exchange := "n=user,r=rOprNGfwEbeRWgbNEkqO," +
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	signature := base64.StdEncoding.EncodeToString(sign(v.serverKey, exchange))
	if want := "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="; signature != want {
		t.Errorf("the server's signature is %s, want %s", signature, want)
	}
	proof, err := base64.StdEncoding.DecodeString("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	if err != nil {
		t.Fatal(err)
	}
	clientKey := make([]byte, len(proof))
	for i, b := range sign(v.storedKey, exchange) {
		clientKey[i] = proof[i] ^ b
	}
	again := scram{iterations: v.iterations, salt: salt, storedKey: digest(clientKey)}
	if !bytes.Equal(again.storedKey, v.storedKey) {
		t.Error("the stored key does not verify the client's proof")
	}
}

func TestVerifiersFitTheirPasswordOnly(t *testing.T) {
	password := rotation.NewSecret([]byte("correct horse"))
	made, err := scramVerifier(password, 5000, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(made.Reveal()); !strings.HasPrefix(text, "SCRAM-SHA-256$5000:") || strings.Contains(text, "correct horse") {
		t.Errorf("the verifier is %s", text)
	}
	for _, c := range []struct {
		name, stored, password string
		want                   fit
	}{
		{"the same", string(made.Reveal()), "correct horse", fitYes},
		{"another", string(made.Reveal()), "correct horses", fitNo},
		{"none stored", "", "correct horse", fitNo},
		{"MD5, the same", "md5a75560b5dadd552e4325e979cf300bad", "correct horse", fitYes}, // of "correct horseapp"
		{"MD5, another", "md5a75560b5dadd552e4325e979cf300bad", "x", fitNo},
		{"beyond ASCII, SASLprep may have changed it", string(made.Reveal()), "ﬁsh", fitUnknown},
		{"cut off", "SCRAM-SHA-256$4096:abcd", "correct horse", fitNo},
	} {
		if got := fits(rotation.NewSecret([]byte(c.stored)), "app", rotation.NewSecret([]byte(c.password))); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNoVerifierIsGuessedBeyondASCII(t *testing.T) {
	if _, err := scramVerifier(rotation.NewSecret([]byte("pässword")), 4096, rand.Reader); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("%v, want a refusal", err)
	}
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}
