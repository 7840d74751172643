package config

import "time"

// Default is the configuration where there is no file: one target of each kind, under the kind's name, as
// the runbook lays them out.
func Default() Config {
	c := Config{APIVersion: APIVersion}
	for _, name := range []Kind{KindPostgres, KindRedis, KindJWT} {
		k := kinds()[name]
		c.Targets = append(c.Targets, k.settle(k.defaults()).settle())
	}
	return c
}

// defaultPostgres is the PostgreSQL of the runbook, without what settlePostgres adds.
func defaultPostgres() Target {
	return Target{
		Name:     "postgres",
		Kind:     KindPostgres,
		Secret:   Secret{Name: "postgresql-credentials"},
		Owner:    "SRE",
		Interval: Duration{90 * Day},
		Soak:     Duration{10 * time.Minute},
		Gates:    Gates{Logs: LogsGate{Pattern: "password authentication failed for user.{0,3}{login}"}},
		Postgres: &Postgres{
			Port:     5432,
			Database: "demo-platform",
			Auth:     "scram-sha-256",
			Strategy: "alternate",
			Admin:    Admin{User: "postgres"},
		},
	}
}

// settlePostgres adds the defaults that depend on what else is said.
func settlePostgres(t Target) Target {
	t = t.withKeys()
	if p := t.Postgres; p != nil && p.Pod == "" && p.Service == "" {
		p.Pod = "postgresql-0"
	}
	return t
}

// defaultRedis is the Redis of the runbook, without what settleRedis adds.
func defaultRedis() Target {
	return Target{
		Name:     "redis",
		Kind:     KindRedis,
		Secret:   Secret{Name: "redis-credentials"},
		Owner:    "SRE",
		Interval: Duration{90 * Day},
		Soak:     Duration{10 * time.Minute},
		Redis:    &Redis{Pod: "redis-0", Port: 6379, TLS: "auto", Admin: Admin{User: "default"}},
	}
}

// settleRedis adds the defaults that depend on what else is said.
func settleRedis(t Target) Target { return t.withKeys() }

// withKeys is t with the usual names of keys in its Secrets.
func (t Target) withKeys() Target {
	t.Secret = t.Secret.withKeys()
	for i := range t.Also {
		t.Also[i] = t.Also[i].withKeys()
	}
	return t
}

// withKeys is s with the usual names of its keys where it says nothing about them: those of a Secret of the type
// kubernetes.io/basic-auth.
func (s Secret) withKeys() Secret {
	if s.DSN != "" {
		return s
	}
	if s.Username == "" && s.Login == "" {
		s.Username = "username"
	}
	if s.Password == "" {
		s.Password = "password"
	}
	return s
}
