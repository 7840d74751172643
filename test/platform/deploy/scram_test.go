package deploy

import (
	"encoding/base64"
	"testing"
)

func TestVerifierIsWhatPostgreSQLStores(t *testing.T) {
	// From PostgreSQL 15.20: CREATE ROLE x PASSWORD 'pencil'; SELECT rolpassword FROM pg_authid WHERE rolname = 'x'.
	const want = "SCRAM-SHA-256$4096:XFXVycN/9HhVUGn882qq8A==" +
		"$/179JNCxi+7Oj1qwA3tNkNVcTEyhzmNL5cBInCi/CL4=:Qq+k0RFlwAtgeS0gDLOEhz1wih1jMSLKVH8Ez0MSiVU="
	salt, err := base64.StdEncoding.DecodeString("XFXVycN/9HhVUGn882qq8A==")
	if err != nil {
		t.Fatal(err)
	}
	got, err := scramVerifierWith("pencil", salt)
	if err != nil || got != want {
		t.Errorf("verifier %s, %v; want %s", got, err, want)
	}
}

func TestEachVerifierHasItsOwnSalt(t *testing.T) {
	a, errA := scramVerifier("pencil")
	b, errB := scramVerifier("pencil")
	if errA != nil || errB != nil || a == b {
		t.Errorf("two verifiers of one password: %s (%v) and %s (%v)", a, errA, b, errB)
	}
}
