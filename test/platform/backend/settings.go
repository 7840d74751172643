package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// settings is the environment of the process, read once at its start: a rotation reaches this service by a restart.
type settings struct {
	pod    string
	listen string

	databaseURL      string // the whole connection string, for the demo-platform database
	username         string // the same login in parts, for the audit database
	password         string
	databaseAddress  string
	auditDatabase    string
	redisAddress     string
	redisUsername    string
	redisPassword    string
	redisReads       bool              // it may read keys, and does
	signingKeys      map[string][]byte // by name, which is the tokens' key id too; public halves as NAME.pub
	activeKey        string
	signingKey       []byte        // the only one to sign with, where verifiers are shown a set
	keySet           []byte        // that set; nil where there is none
	signingKeysDir   string        // where they are read from instead, again and again; "" is nowhere
	reloadEvery      time.Duration // how often
	algorithm        string        // what tokens are signed by; "" is the usual one of the key
	tokenLifetime    time.Duration
	expiredTokens    bool // it accepts a token that has expired, as applications do that leave the check out
	drainDelay       time.Duration
	poolConnections  int32
	auditConnections int32
}

func readSettings(environ []string) (settings, error) {
	env := environment{}
	keys := map[string][]byte{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
		if number, public := strings.CutPrefix(name, "jwt-public-"); public {
			keys["jwt-secret-"+number+".pub"] = []byte(value)
		}
		if strings.HasPrefix(name, "jwt-secret") {
			keys[name] = []byte(value)
		}
	}
	var missing []error
	need := func(name string) string {
		if env[name] == "" {
			missing = append(missing, fmt.Errorf("environment: %s is not set", name))
		}
		return env[name]
	}
	s := settings{
		pod:              env.or("HOSTNAME", hostname()),
		listen:           env.or("LISTEN", ":8080"),
		databaseURL:      need("DATABASE_URL"),
		username:         need("DATABASE_USERNAME"),
		password:         need("DATABASE_PASSWORD"),
		databaseAddress:  net.JoinHostPort(need("POSTGRESQL_SERVICE_HOST"), env.or("POSTGRESQL_SERVICE_PORT", "5432")),
		auditDatabase:    env.or("AUDIT_DATABASE", "Audit-Log"),
		redisAddress:     net.JoinHostPort(need("REDIS_SERVICE_HOST"), env.or("REDIS_SERVICE_PORT", "6379")),
		redisUsername:    need("REDIS_USERNAME"),
		redisPassword:    need("REDIS_PASSWORD"),
		redisReads:       env["REDIS_READS"] == "true",
		signingKeys:      keys,
		signingKeysDir:   env["SIGNING_KEYS_DIR"],
		reloadEvery:      time.Second,
		algorithm:        env["SIGNING_ALGORITHM"],
		expiredTokens:    env["ACCEPT_EXPIRED_TOKENS"] == "true",
		poolConnections:  8,
		auditConnections: 2,
	}
	var lifetime, delay, keyring error
	switch set := env["jwks.json"]; {
	case s.signingKeysDir != "":
		s.signingKeys, s.activeKey, keyring = readKeys(s.signingKeysDir)
	case set != "":
		s.signingKey, s.keySet = []byte(need("signing-key")), []byte(set)
	default:
		s.activeKey = need(activeKeyName)
	}
	s.tokenLifetime, lifetime = env.duration("TOKEN_LIFETIME", 15*time.Minute)
	s.drainDelay, delay = env.duration("DRAIN_DELAY", 4*time.Second)
	return s, errors.Join(append(missing, lifetime, delay, keyring)...)
}

type environment map[string]string

func (e environment) or(name, otherwise string) string {
	if e[name] == "" {
		return otherwise
	}
	return e[name]
}

func (e environment) duration(name string, otherwise time.Duration) (time.Duration, error) {
	if e[name] == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(e[name])
	if err != nil {
		return 0, fmt.Errorf("environment: %s: %w", name, err)
	}
	return d, nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unnamed"
	}
	return name
}
