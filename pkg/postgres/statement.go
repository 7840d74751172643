package postgres

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// statement is one line of an effect: SQL as it stands, or the setting of a role's password by its verifier.
type statement struct {
	sql      string
	role     string // whose password; then sql is empty
	verifier rotation.Secret
}

// String is the statement for people: no verifier in it.
func (s statement) String() string {
	if s.role == "" {
		return s.sql
	}
	return fmt.Sprintf("ALTER ROLE %s PASSWORD %s", ident(s.role), literal(rotation.Redacted))
}

// run executes statements in their order.
func (n *session) run(ctx context.Context, statements []statement) error {
	for _, st := range statements {
		var err error
		if st.role == "" {
			err = n.exec(ctx, st.sql)
		} else {
			err = n.setPassword(ctx, st)
		}
		if err != nil {
			return grantHint(wrap(err, "%s", st), n.needs())
		}
	}
	return nil
}

// setPassword gives a role its verifier. A verifier is no password, but with one overheard login it is as good as one, so it is
// kept out of the server's log too where the admin may do that: it travels as a parameter whose logging
// is off, and the statement that holds it runs inside another, which is what gets logged.
func (n *session) setPassword(ctx context.Context, st statement) error {
	verifier := string(st.verifier.Reveal())
	quiet, err := n.quiet(ctx)
	if err != nil {
		return err
	}
	if !quiet {
		return n.exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD %s", ident(st.role), literal(verifier)))
	}
	err = n.exec(ctx, `SELECT set_config('log_parameter_max_length', '0', true),
		set_config('log_parameter_max_length_on_error', '0', true)`)
	if err != nil {
		return err
	}
	// What pg_stat_statements keeps of statements within others, it keeps with what they hold.
	err = n.exec(ctx, `SELECT set_config(name, 'none', true) FROM pg_settings WHERE name = 'pg_stat_statements.track'`)
	if err != nil {
		return err
	}
	err = n.exec(ctx, `SELECT set_config('kubectl_rotate.login', $1, true), set_config('kubectl_rotate.verifier', $2, true)`,
		st.role, verifier)
	if err != nil {
		return err
	}
	return n.exec(ctx, `DO $$ BEGIN
		EXECUTE format('ALTER ROLE %I PASSWORD %L', current_setting('kubectl_rotate.login'), current_setting('kubectl_rotate.verifier'));
	END $$`)
}

// quiet says whether the admin may keep parameters out of the log, and the server has what it takes.
func (n *session) quiet(ctx context.Context) (bool, error) {
	if !n.super || n.version < 130000 {
		return false, nil
	}
	return one[bool](ctx, n, `SELECT EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql')`)
}

// needs is what an admin that is no superuser needs for statements about roles.
func (n *session) needs() string {
	if n.version >= 160000 {
		return fmt.Sprintf("%s needs CREATEROLE, and ADMIN OPTION on the role", ident(n.user))
	}
	return fmt.Sprintf("%s needs CREATEROLE", ident(n.user))
}
