package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// login is what the application's Secret says.
type login struct{ user, password string }

func credentials(ctx context.Context, p *deploy.Platform) (l login, err error) {
	if l.user, err = p.SecretValue(ctx, "postgresql-credentials", "username"); err != nil {
		return l, err
	}
	l.password, err = p.SecretValue(ctx, "postgresql-credentials", "password")
	return l, err
}

// lets says whether the database lets l in, asked over the network as the application does. An error beside false
// is none when the server refused it.
func lets(ctx context.Context, p *deploy.Platform, l login) (bool, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s/demo-platform?sslmode=disable", p.PostgreSQL))
	if err != nil {
		return false, err
	}
	config.User, config.Password = l.user, l.password
	conn, err := pgx.ConnectConfig(ctx, config)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("asking the database: %w", err)
	}
	return true, conn.Close(ctx)
}
