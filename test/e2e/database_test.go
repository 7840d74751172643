package e2e

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connect opens a connection over the network, as the application does.
func (w *world) connect(l login, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("postgres://" + w.platform.PostgreSQL + "/?sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.User, config.Password, config.Database = l.user, l.password, database
	return pgx.ConnectConfig(w.ctx, config)
}

// accepted says whether the database lets l in.
func (w *world) accepted(l login) bool {
	w.Helper()
	conn, err := w.connect(l, "demo-platform")
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return false
	}
	w.must("asking the database about "+l.user, err)
	w.must("closing", conn.Close(w.ctx))
	return true
}

// admin is a connection of the database's administrator.
func (w *world) admin(database string) *pgx.Conn {
	w.Helper()
	password, err := w.platform.SecretValue(w.ctx, "postgresql-admin", "postgres-password")
	w.must("reading the administrator's password", err)
	conn, err := w.connect(login{"postgres", password}, database)
	w.must("connecting as the administrator", err)
	return conn
}

// superuser runs one statement as the database's administrator.
func (w *world) superuser(statement string) {
	w.Helper()
	conn := w.admin("postgres")
	defer conn.Close(w.ctx)
	_, err := conn.Exec(w.ctx, statement)
	w.must(statement, err)
}

// logins are the roles that may log in, but for the administrator.
func (w *world) logins() (names []string) {
	w.Helper()
	conn := w.admin("postgres")
	defer conn.Close(w.ctx)
	rows, err := conn.Query(w.ctx, `SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY 1`)
	w.must("listing logins", err)
	names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	w.must("listing logins", err)
	return names
}

// standby wants the platform to be as if nothing had ever been rotated: one login, one saved value, every
// pod serving.
func (w *world) standby(name string) {
	w.Helper()
	now := w.login()
	if now.user != name {
		w.Errorf("the application's login is %s, want %s", now.user, name)
	}
	if !w.accepted(now) {
		w.Errorf("the application's login %s is refused", now.user)
	}
	if got := w.logins(); !slices.Equal(got, []string{name}) {
		w.Errorf("roles that may log in: %v, want only %s", got, name)
	}
	if got := w.saved(); len(got) != 1 {
		w.Errorf("values on record: %v, want one", got)
	}
}
