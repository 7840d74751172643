package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// application is the name that pg_stat_activity shows for this service's sessions.
const application = "backend"

// item is a row as the service reads it back.
type item struct {
	ID     int64  `json:"id"`
	Ticket int64  `json:"ticket"`
	Body   string `json:"body"`
}

// database is the demo-platform database: a small pool, and the connection string to open new connections with.
type database struct {
	pool *pgxpool.Pool
	user string
}

func openDatabase(s settings) (*database, error) {
	config, err := pgxpool.ParseConfig(s.databaseURL)
	if err != nil {
		return nil, fmt.Errorf("reading DATABASE_URL: %w", err)
	}
	pool, err := openPool(config, s.poolConnections)
	if err != nil {
		return nil, fmt.Errorf("preparing the pool of %s: %w", config.ConnConfig.Database, err)
	}
	return &database{pool: pool, user: config.ConnConfig.User}, nil
}

func openPool(config *pgxpool.Config, connections int32) (*pgxpool.Pool, error) {
	config.MaxConns = connections
	config.MaxConnIdleTime = time.Minute
	config.ConnConfig.ConnectTimeout = 10 * time.Second
	config.ConnConfig.RuntimeParams["application_name"] = application
	return pgxpool.NewWithConfig(context.Background(), config)
}

func (d *database) close() { d.pool.Close() }

// login gives the user name that the connection string holds.
func (d *database) login() string { return d.user }

func (d *database) ping(ctx context.Context) error { return d.pool.Ping(ctx) }

// starter is what a transaction can begin on: a pool or a single connection.
type starter interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// write puts in a row and reads it back in one transaction.
func (d *database) write(ctx context.Context, on starter, body string) (answer, error) {
	var a answer
	err := pgx.BeginFunc(ctx, on, func(tx pgx.Tx) error {
		var id int64
		const insert = `INSERT INTO items (ticket, body) VALUES (take_ticket(), $1) RETURNING id`
		if err := tx.QueryRow(ctx, insert, body).Scan(&id); err != nil {
			return fmt.Errorf("inserting an item: %w", err)
		}
		return a.scan(tx.QueryRow(ctx, readItem+` WHERE id = $1`, id))
	})
	return a, err
}

// latest reads the newest row.
func (d *database) latest(ctx context.Context, on starter) (answer, error) {
	var a answer
	err := pgx.BeginFunc(ctx, on, func(tx pgx.Tx) error {
		return a.scan(tx.QueryRow(ctx, readItem+` ORDER BY id DESC LIMIT 1`))
	})
	return a, err
}

const readItem = `SELECT id, ticket, body, session_user, current_user FROM recent_items`

func (a *answer) scan(row pgx.Row) error {
	a.Item = new(item)
	if err := row.Scan(&a.Item.ID, &a.Item.Ticket, &a.Item.Body, &a.Login, &a.Role); err != nil {
		return fmt.Errorf("reading an item: %w", err)
	}
	return nil
}

// anew calls use with a connection opened for it alone, so that a login refused since the pool filled is
// noticed at once.
func (d *database) anew(ctx context.Context, use func(starter) error) error {
	conn, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("opening a new connection: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return use(conn)
}
