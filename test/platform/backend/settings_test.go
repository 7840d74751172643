package main

import (
	"strings"
	"testing"
	"time"
)

var complete = []string{
	"HOSTNAME=backend-1", "DATABASE_URL=postgres://backend:x@postgresql:5432/demo-platform",
	"DATABASE_USERNAME=backend", "DATABASE_PASSWORD=x", "POSTGRESQL_SERVICE_HOST=10.96.0.7",
	"REDIS_USERNAME=backend", "REDIS_PASSWORD=y", "REDIS_SERVICE_HOST=10.96.0.8",
	"jwt-secret-v1=old", "jwt-secret-v2=new=", "active-key=jwt-secret-v2", "TOKEN_LIFETIME=20s",
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	s, err := readSettings(complete)
	if err != nil {
		t.Fatal(err)
	}
	if s.pod != "backend-1" || s.databaseAddress != "10.96.0.7:5432" || s.redisAddress != "10.96.0.8:6379" {
		t.Errorf("pod %s, database %s, redis %s", s.pod, s.databaseAddress, s.redisAddress)
	}
	if len(s.signingKeys) != 2 || string(s.signingKeys["jwt-secret-v2"]) != "new=" || s.activeKey != "jwt-secret-v2" {
		t.Errorf("%d signing keys, active %s; want 2, jwt-secret-v2", len(s.signingKeys), s.activeKey)
	}
	if s.tokenLifetime != 20*time.Second || s.drainDelay != 4*time.Second {
		t.Errorf("tokens live %v, drain takes %v; want 20s, 4s", s.tokenLifetime, s.drainDelay)
	}
}

func TestPublicKeysGoWithTheirPrivateOnes(t *testing.T) {
	s, err := readSettings(append(complete, "jwt-public-v2=half", "SIGNING_ALGORITHM=PS256"))
	if err != nil || string(s.signingKeys["jwt-secret-v2.pub"]) != "half" || s.algorithm != "PS256" {
		t.Errorf("%d signing keys, by %s: %v", len(s.signingKeys), s.algorithm, err)
	}
}

func TestEverythingThatIsMissingIsNamedAtOnce(t *testing.T) {
	_, err := readSettings([]string{"DRAIN_DELAY=soon"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"DATABASE_URL", "DATABASE_USERNAME", "DATABASE_PASSWORD", "POSTGRESQL_SERVICE_HOST",
		"REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_SERVICE_HOST", "active-key", "DRAIN_DELAY",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("error does not name %s: %v", name, err)
		}
	}
}
