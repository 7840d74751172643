package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
)

// auditLog is the second database of the same login, reached with the user name and the password rather than with
// the connection string: a rotation that changes one form and not the other is caught here.
type auditLog struct{ pool *pgxpool.Pool }

func openAuditLog(s settings) (*auditLog, error) {
	config, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("preparing the pool of %s: %w", s.auditDatabase, err)
	}
	host, port, err := splitAddress(s.databaseAddress)
	if err != nil {
		return nil, err
	}
	c := config.ConnConfig
	c.Host, c.Port, c.Database = host, port, s.auditDatabase
	c.User, c.Password = s.username, s.password
	c.Fallbacks = nil
	pool, err := openPool(config, s.auditConnections)
	if err != nil {
		return nil, fmt.Errorf("preparing the pool of %s: %w", s.auditDatabase, err)
	}
	return &auditLog{pool}, nil
}

func (a *auditLog) close() { a.pool.Close() }

func (a *auditLog) ping(ctx context.Context) error { return a.pool.Ping(ctx) }

func (a *auditLog) write(ctx context.Context, pod string, request uint64) error {
	_, err := a.pool.Exec(ctx, `INSERT INTO audit (pod, request) VALUES ($1, $2)`, pod, int64(request))
	if err != nil {
		return fmt.Errorf("writing an audit row: %w", err)
	}
	return nil
}

func splitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address of the database: %w", err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port of the database: %w", err)
	}
	return host, uint16(n), nil
}
