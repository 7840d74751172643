package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Paths to the shared server, by the address that a client comes from.
const (
	viaScram  = "127.0.0.1"
	viaTrust  = "127.0.0.3" // as a port-forward comes to the official image
	viaMD5    = "127.0.0.4"
	viaPlain  = "127.0.0.5"
	viaNamed  = "127.0.0.6" // only the roles that are named come in here
	viaClosed = "127.0.0.9"
)

const hba = `
local all         all                    trust
local replication all                    trust
host  all         postgres 127.0.0.0/8   scram-sha-256
host  postgres    all      127.0.0.0/8   scram-sha-256
host  all         all      127.0.0.1/32  scram-sha-256
host  all         all      127.0.0.3/32  trust
host  all         all      127.0.0.4/32  md5
host  all         all      127.0.0.5/32  password
host  all         named    127.0.0.6/32  scram-sha-256
host  all         +grouped 127.0.0.6/32  scram-sha-256
`

var (
	certificate, key, authority = newCertificate()
	sites                       = newSites()
)

// site is a server that all tests share which want its version, with a database in which every application has a schema of
// its own.
type site struct {
	postgrestest.Shared
	made sync.Once
}

// newSites are the installed version, under "", and those that are fetched. None is started before it is asked for.
func newSites() map[string]*site {
	all := map[string]*site{}
	for _, version := range append(postgrestest.Versions(), "") {
		all[version] = &site{Shared: postgrestest.Shared{Config: postgrestest.Config{
			Version:  version,
			HBA:      hba,
			Settings: map[string]string{"ssl": "on"},
			Files:    map[string][]byte{"server.crt": certificate, "server.key": key},
		}}}
	}
	return all
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range sites {
		if err := s.Close(); err != nil {
			log.Print(err)
			code = 1
		}
	}
	os.Exit(code)
}

// database is the one of every site.
const database = `Demo "DB" 'ünïcödé'`

// app is an application with a login of its own on the shared server.
type app struct {
	*postgrestest.Cluster
	t        *testing.T
	server   *Server
	current  rotation.Credential
	owner    string
	database string
}

var apps atomic.Int32

// newApp makes an application whose login has a hyphen, a capital and a space, over which nothing may stumble.
func newApp(t *testing.T) *app {
	t.Helper()
	return appOn(t, "")
}

// later are the major versions after the installed one.
var later = []string{"16", "17", "18"}

// onVersions runs a test on the installed server, and on those of other versions.
func onVersions(t *testing.T, versions []string, test func(t *testing.T, version string)) {
	t.Run("installed", func(t *testing.T) { test(t, "") })
	for _, version := range versions {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

// appOn is an application on a server of that version.
func appOn(t *testing.T, version string) *app {
	t.Helper()
	return makeApp(t, version, fmt.Sprintf("Back-End %d", apps.Add(1)))
}

// limited has an application administered by somebody who is no superuser and has just what the preflight asks for.
func (a *app) limited() *app {
	a.t.Helper()
	a.server.Admin = a.limitedAdmin("GRANT pg_signal_backend, pg_read_all_stats TO %s", a.owner)
	return a
}

// namedApp is an application whose login has a name that can be had once only: it is cleared away afterwards.
func namedApp(t *testing.T, login string) *app {
	t.Helper()
	return namedAppOn(t, "", login)
}

func namedAppOn(t *testing.T, version, login string) *app {
	t.Helper()
	a := makeApp(t, version, login)
	t.Cleanup(func() {
		a.sql(a.database, fmt.Sprintf(`DO $clear$ DECLARE r text; BEGIN
			FOR r IN SELECT rolname FROM pg_roles WHERE rolname = %[1]s OR left(rolname, length(%[1]s) + 2) = %[1]s || '_v' LOOP
				EXECUTE format('DROP OWNED BY %%I CASCADE', r);
				EXECUTE format('DROP ROLE %%I', r);
			END LOOP;
		END $clear$`, literal(login)))
	})
	return a
}

func makeApp(t *testing.T, version, login string) *app {
	t.Helper()
	at := sites[version]
	a := &app{Cluster: at.Cluster(t), t: t, owner: login, database: database}
	at.made.Do(func() { a.sql("postgres", "CREATE DATABASE "+ident(database)) })
	a.current = rotation.Credential{V: 1, ID: login, Value: rotation.NewSecret([]byte("first password of " + rand.Text()))}
	verifier, err := scramVerifier(a.current.Value, scramIterations, rand.Reader)
	a.must("verifier", err)
	a.sql(a.database,
		fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT 20 PASSWORD %s", ident(login), literal(string(verifier.Reveal()))),
		"CREATE SCHEMA AUTHORIZATION "+ident(login))
	a.server = a.via(viaScram)
	return a
}

// via is a server that is reached by one of the paths. The admin always comes by a path that asks for its password.
func (a *app) via(from string) *Server {
	s := &Server{
		Nodes: []Node{{Name: "pg-0", Host: "127.0.0.1", Port: uint16(a.Port), Dial: postgrestest.Dial(from)}},
		Admin: Admin{User: postgrestest.User, Password: rotation.NewSecret([]byte(a.Password))},
	}
	a.t.Cleanup(func() { _ = s.Close() })
	return s
}

func (a *app) must(what string, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%s: %v", what, err)
	}
}

func (a *app) sql(database string, statements ...string) {
	a.t.Helper()
	a.Exec(a.t, database, statements...)
}

// next generates and installs a new login.
func (a *app) next() rotation.Credential {
	a.t.Helper()
	c, err := a.server.Generate(context.Background(), 2, a.current)
	a.must("generate", err)
	a.must("install", a.server.Install(context.Background(), pass, c))
	return c
}

// open connects as an application would.
func (a *app) open(c rotation.Credential) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(neutral)
	a.must("config", err)
	config.Host, config.Port, config.Database = "127.0.0.1", uint16(a.Port), a.database
	config.User, config.Password = c.ID, string(c.Value.Reveal())
	config.RuntimeParams = map[string]string{"application_name": "the application"}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err == nil {
		a.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func (a *app) opened(c rotation.Credential) *pgx.Conn {
	a.t.Helper()
	conn, err := a.open(c)
	a.must("opening a session as "+c.ID, err)
	return conn
}

// as runs SQL as the application.
func (a *app) as(conn *pgx.Conn, statements ...string) {
	a.t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			a.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// stands wants c to be treated in one way at every place, for reasons that include a phrase.
func (a *app) stands(s *Server, c rotation.Credential, want rotation.Status, phrase string) {
	a.t.Helper()
	places, err := s.Standing(context.Background(), c)
	a.must("standing", err)
	if len(places) == 0 {
		a.t.Fatalf("%s stands nowhere", c.ID)
	}
	for _, p := range places {
		if p.Status != want || !strings.Contains(p.Proof, phrase) {
			a.t.Errorf("%s at %s: %s (%s), want %s (…%s…)", c.ID, p.Where, p.Status, p.Proof, want, phrase)
		}
	}
}

func pass(context.Context) error { return nil }

// newCertificate is a self-signed certificate for the name db.example.
func newCertificate() (cert, key []byte, roots *x509.CertPool) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "db.example"}, DNSNames: []string{"db.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		log.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		log.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), roots
}

// major is the server's version.
func (a *app) major() (n int) {
	a.t.Helper()
	_, err := fmt.Sscan(a.Value(a.t, "postgres", "SELECT (current_setting('server_version_num')::int / 10000)::text"), &n)
	a.must("version", err)
	return n
}

// limitedAdmin makes an admin that is no superuser: with CREATEROLE, more privileges in SQL, and, from 16 on, the admin
// option on some roles.
func (a *app) limitedAdmin(more string, of ...string) Admin {
	a.t.Helper()
	name := fmt.Sprintf("admin %d", apps.Add(1))
	secret := rand.Text()
	a.sql("postgres", fmt.Sprintf("CREATE ROLE %s LOGIN CREATEROLE PASSWORD '%s'", ident(name), secret))
	if more != "" {
		a.sql("postgres", fmt.Sprintf(more, ident(name)))
	}
	if a.major() >= 16 {
		for _, role := range of {
			a.sql("postgres", fmt.Sprintf("GRANT %s TO %s WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", ident(role), ident(name)))
		}
	}
	return Admin{User: name, Password: rotation.NewSecret([]byte(secret))}
}

// log is the server's log so far.
func (a *app) log() string {
	a.t.Helper()
	text, err := os.ReadFile(a.Log)
	a.must("log", err)
	return string(text)
}
