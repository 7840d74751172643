package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// backend is the service: what it talks to, and how far its life has come.
type backend struct {
	pod      string
	db       *database
	audit    *auditLog
	redis    *broker
	tokens   atomic.Pointer[keyring]
	requests atomic.Uint64
	accepted atomic.Bool // every credential has been accepted once
	draining atomic.Bool
}

// newBackend prepares the clients. It connects to nothing yet: a server that is away for a moment keeps the pod
// from being ready, not from starting.
func newBackend(s settings) (*backend, error) {
	tokens, err := newKeyring(s)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(s)
	if err != nil {
		return nil, err
	}
	audit, err := openAuditLog(s)
	if err != nil {
		db.close()
		return nil, err
	}
	b := &backend{pod: s.pod, db: db, audit: audit, redis: openBroker(s)}
	b.tokens.Store(tokens)
	return b, nil
}

func (b *backend) close() {
	b.redis.close()
	b.audit.close()
	b.db.close()
}

func (b *backend) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/ready", b.ready)
	mux.HandleFunc("GET /items", b.items)
	mux.HandleFunc("POST /items", b.items)
	mux.HandleFunc("POST /token", b.token)
	mux.HandleFunc("GET /session", b.session)
	mux.HandleFunc("POST /login", b.token)
	mux.HandleFunc("GET /me", b.session)
	mux.HandleFunc("POST /migrate", b.migrate)
	mux.HandleFunc("POST /table", b.table)
	return mux
}

// ready answers the readiness probe. A new pod is ready once the server of each credential it was given has accepted it, so
// that a bad one stops a rollout at its first pod. From then on only the database counts: without Redis the
// service still has something to answer.
func (b *backend) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 8*time.Second)
	defer cancel()
	if b.draining.Load() {
		b.reply(w, http.StatusServiceUnavailable, answer{Error: "draining"})
		return
	}
	err := b.db.ping(ctx)
	if !b.accepted.Load() {
		err = errors.Join(err, b.audit.ping(ctx), b.redis.ping(ctx))
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	if b.accepted.CompareAndSwap(false, true) {
		slog.Info("every credential was accepted", "login", b.db.login())
	}
	b.reply(w, http.StatusOK, answer{Login: b.db.login()})
}
