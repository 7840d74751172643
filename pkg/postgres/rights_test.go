package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// names writes roles of an application into SQL: $owner, $login (in use now), $third, $reports, and $port of the server.
func (a *app) names(text string) string {
	return strings.NewReplacer(
		"$owner", ident(a.owner), "$login", ident(a.current.ID), "$third", ident(a.owner+" third party"), "$reports", ident(a.owner+" reports"),
		"$remote", ident(a.owner+" remote"), "$server", ident(a.owner+" elsewhere"), "$port", fmt.Sprint(a.Port),
	).Replace(text)
}

// abroad has a foreign server, the server itself under another login, where only the login in use is known.
func (a *app) abroad() {
	a.t.Helper()
	secret := rand.Text()
	a.sql(a.database, a.names(`
		CREATE EXTENSION IF NOT EXISTS postgres_fdw;
		CREATE ROLE $remote LOGIN PASSWORD '`+secret+`';
		CREATE SERVER $server FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
		GRANT USAGE ON FOREIGN SERVER $server TO $owner;
		CREATE USER MAPPING FOR $login SERVER $server OPTIONS (user `+literal(a.owner+" remote")+`, password '`+secret+`');
		CREATE FOREIGN TABLE $owner.roles (rolname name) SERVER $server OPTIONS (schema_name 'pg_catalog', table_name 'pg_roles');
		GRANT SELECT ON $owner.roles TO $login`))
}

// rich has a role with everything that a role can have.
func rich(t *testing.T) *app {
	t.Helper()
	a := newApp(t)
	a.abroad()
	a.sql(a.database, a.names(`
		CREATE ROLE $third; CREATE ROLE $reports; CREATE SCHEMA AUTHORIZATION $third;
		ALTER ROLE $owner CONNECTION LIMIT 17 VALID UNTIL '`+time.Now().Add(time.Hour).Format(time.RFC3339)+`';
		ALTER ROLE $owner SET work_mem TO '5MB';
		ALTER ROLE $owner IN DATABASE `+ident(a.database)+` SET lock_timeout TO '7s';
		GRANT pg_read_all_settings TO $owner; GRANT $third TO $owner WITH ADMIN OPTION;
		CREATE TABLE $third.rates (n int, tenant text); ALTER TABLE $third.rates OWNER TO $third;
		INSERT INTO $third.rates VALUES (1, 'a'), (2, 'b');
		REVOKE $third FROM $owner;
		GRANT USAGE ON SCHEMA $third TO $owner; GRANT SELECT ON $third.rates TO $owner;
		ALTER TABLE $third.rates ENABLE ROW LEVEL SECURITY;
		CREATE POLICY mine ON $third.rates TO $owner USING (tenant = 'a');
		SET ROLE $owner;
		CREATE TABLE $owner.orders (n int); GRANT SELECT ON $owner.orders TO $reports; GRANT USAGE ON SCHEMA $owner TO $reports;
		ALTER DEFAULT PRIVILEGES IN SCHEMA $owner GRANT SELECT ON TABLES TO $reports;
		CREATE FUNCTION $owner.whose() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text';
		RESET ROLE`))
	return a
}

// behaviour is what a session of the application finds itself able to do.
func (a *app) behaviour(conn *pgx.Conn) map[string]string {
	a.t.Helper()
	a.as(conn, a.names("CREATE TABLE $owner.fresh (n int)"))
	defer a.as(conn, a.names("DROP TABLE $owner.fresh"))
	got := map[string]string{}
	for what, query := range map[string]string{
		"acts as":                     "current_user::text",
		"a setting":                   "current_setting('work_mem')",
		"a setting in this database":  "current_setting('lock_timeout')",
		"limit of connections":        "(SELECT rolconnlimit::text FROM pg_roles WHERE rolname = session_user)",
		"its password ends":           "(SELECT (rolvaliduntil < now() + interval '100 days')::text FROM pg_roles WHERE rolname = session_user)",
		"a group's right":             "(current_setting('data_directory') <> '')::text",
		"rows that a policy lets see": "(SELECT string_agg(tenant, ',') FROM $third.rates)",
		"whose function":              "$owner.whose()",
		"a foreign server":            "(SELECT count(*)::text FROM $owner.roles WHERE rolname = 'postgres')",
		"others may read its table":   "has_table_privilege('$reports', '$owner.orders', 'SELECT')::text",
		"others may read a new one":   "has_table_privilege('$reports', '$owner.fresh', 'SELECT')::text",
		"owner of a new table":        "(SELECT tableowner::text FROM pg_tables WHERE schemaname = current_user AND tablename = 'fresh')",
	} {
		query = strings.ReplaceAll(query, "'$reports'", literal(a.owner+" reports"))
		var value string
		a.must(what, conn.QueryRow(context.Background(), "SELECT "+a.names(query)).Scan(&value))
		got[what] = value
	}
	return got
}

// Two rotations of a role that has everything: whoever uses it finds no difference, in the middle or afterwards.
func TestEverythingThatARoleHasSurvivesTwoRotations(t *testing.T) {
	a := rich(t)
	ctx := context.Background()
	a.server.ValidFor = 90 * 24 * time.Hour
	if notes := a.preflight(a.server, a.current); !strings.Contains(notes, "ends 2160h0m0s after its install") {
		t.Errorf("the end of the next password is not announced: %q", notes)
	}
	before := a.behaviour(a.opened(a.current))
	for v := rotation.Version(2); v <= 3; v++ {
		c, err := a.server.Generate(ctx, v, a.current)
		a.must("generate", err)
		a.plans(rotation.EffectInstall, c, "VALID UNTIL")
		a.must("install", a.server.Install(ctx, pass, c))
		for _, during := range []rotation.Credential{c, a.current} {
			conn := a.opened(during)
			if diff := cmp.Diff(before, a.behaviour(conn)); diff != "" {
				t.Errorf("%s, while both can log in:\n%s", during.ID, diff)
			}
		}
		a.must("revoke", a.server.Revoke(ctx, pass, a.current))
		a.must("erase", a.server.Erase(ctx, pass, a.current))
		a.current = c
		if diff := cmp.Diff(before, a.behaviour(a.opened(c))); diff != "" {
			t.Errorf("%s, alone:\n%s", c.ID, diff)
		}
	}
}

// A user mapping belongs to a name: sessions that act as the owner are known by the owner's. So one that only a login made by hand has
// would be missing, and is refused, with the statement that mends it; its twin goes with the login.
func TestUserMappingOfALoginMadeByHand(t *testing.T) {
	a := byRunbook(t, "")
	ctx := context.Background()
	a.abroad()
	a.refusedFor(a.server, a.current, "cannot be handed over", "CREATE USER MAPPING FOR "+ident(a.owner))
	a.sql(a.database, a.names("CREATE USER MAPPING FOR $owner SERVER $server OPTIONS (user 'somebody else')"))
	a.refusedFor(a.server, a.current, "cannot be handed over", "make their user mappings the same")
	options := a.Value(t, a.database, `SELECT string_agg(format('%I %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ')
		FROM pg_user_mappings, unnest(umoptions) o WHERE usename = $1`, a.current.ID)
	a.sql(a.database, a.names("DROP USER MAPPING FOR $owner SERVER $server; CREATE USER MAPPING FOR $owner SERVER $server OPTIONS ("+options+")"))
	a.preflight(a.server, a.current)
	c := a.next()
	for _, user := range []rotation.Credential{a.current, c} {
		a.counts(a.opened(user), a.names("SELECT count(*)::int FROM $owner.roles WHERE rolname = 'postgres'"), 1)
	}
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.counts(a.opened(c), a.names("SELECT count(*)::int FROM $owner.roles WHERE rolname = 'postgres'"), 1)
}
