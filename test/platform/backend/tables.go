package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/jackc/pgx/v5"
)

var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// migrate changes the schema as a release would: it makes the table that the query names, or changes it if another pod made it,
// which only its owner may, and puts in a row.
func (b *backend) migrate(w http.ResponseWriter, r *http.Request) {
	b.onTable(w, r, func(ctx context.Context, tx pgx.Tx, table string) error {
		for _, statement := range []string{
			`CREATE TABLE IF NOT EXISTS ` + table + ` (id bigserial PRIMARY KEY, made_by text NOT NULL DEFAULT session_user)`,
			`ALTER TABLE ` + table + ` ADD COLUMN IF NOT EXISTS note text`,
			`COMMENT ON TABLE ` + table + ` IS 'made by a migration of the demo backend'`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("migrating table %s: %w", table, err)
			}
		}
		return nil
	})
}

// table uses a table that some pod made: it puts in a row and counts them.
func (b *backend) table(w http.ResponseWriter, r *http.Request) {
	b.onTable(w, r, func(context.Context, pgx.Tx, string) error { return nil })
}

// onTable runs change and then uses the table, in one transaction.
func (b *backend) onTable(w http.ResponseWriter, r *http.Request, change func(context.Context, pgx.Tx, string) error) {
	ctx := r.Context()
	table, err := tableOf(r)
	var a answer
	if err == nil {
		err = pgx.BeginFunc(ctx, b.db.pool, func(tx pgx.Tx) error {
			if err := change(ctx, tx, table); err != nil {
				return err
			}
			return a.useTable(ctx, tx, table)
		})
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.reply(w, http.StatusOK, a)
}

func tableOf(r *http.Request) (quoted string, err error) {
	name := r.FormValue("table")
	if !tableName.MatchString(name) {
		return "", errors.Join(errRequest, fmt.Errorf("table %q: want lower case letters, digits and underscores", name))
	}
	return pgx.Identifier{name}.Sanitize(), nil
}

func (a *answer) useTable(ctx context.Context, tx pgx.Tx, table string) error {
	if _, err := tx.Exec(ctx, `INSERT INTO `+table+` DEFAULT VALUES`); err != nil {
		return fmt.Errorf("writing to table %s: %w", table, err)
	}
	row := tx.QueryRow(ctx, `SELECT count(*), session_user, current_user FROM `+table)
	if err := row.Scan(&a.Rows, &a.Login, &a.Role); err != nil {
		return fmt.Errorf("reading table %s: %w", table, err)
	}
	return nil
}
