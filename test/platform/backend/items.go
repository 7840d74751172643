package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxBody bounds the body of an item, in bytes.
const maxBody = 1 << 10

// items serves the work the load generator asks for: POST writes a row and reads it back, GET reads the newest. A
// bearer token is checked if there is one. Some requests also use the other credentials; see cadence.
func (b *backend) items(w http.ResponseWriter, r *http.Request) {
	if err := b.admit(r); err != nil {
		b.fail(w, r, err)
		return
	}
	n := b.requests.Add(1)
	a, err := b.work(r, newConnection.due(n))
	if err == nil {
		err = b.besides(r.Context(), n)
	}
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.reply(w, http.StatusOK, a)
}

// admit checks the token of a request that carries one.
func (b *backend) admit(r *http.Request) error {
	if r.Header.Get("Authorization") == "" {
		return nil
	}
	return b.tokens.Load().check(r)
}

func (b *backend) work(r *http.Request, fresh bool) (a answer, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return a, errors.Join(errRequest, fmt.Errorf("reading the body: %w", err))
	}
	do := func(on starter) (err error) {
		if r.Method == http.MethodPost {
			a, err = b.db.write(r.Context(), on, string(body))
		} else {
			a, err = b.db.latest(r.Context(), on)
		}
		return err
	}
	if fresh {
		err = b.db.anew(r.Context(), do)
	} else {
		err = do(b.db.pool)
	}
	a.Fresh = fresh
	return a, err
}

// besides does what only some requests do.
func (b *backend) besides(ctx context.Context, n uint64) error {
	var errs []error
	if writeAudit.due(n) {
		errs = append(errs, b.audit.write(ctx, b.pod, n))
	}
	if pingRedis.due(n) {
		errs = append(errs, b.redis.ping(ctx))
	}
	if readRedis.due(n) {
		errs = append(errs, b.redis.read(ctx))
	}
	if newRedis.due(n) {
		errs = append(errs, b.redis.pingAnew(ctx))
	}
	return errors.Join(errs...)
}

// cadence says which requests do something besides, by their number.
type cadence struct{ every, at uint64 }

func (c cadence) due(n uint64) bool { return n%c.every == c.at }

// The remainders differ, so that no request does everything.
var (
	newConnection = cadence{every: 10, at: 1}
	pingRedis     = cadence{every: 10, at: 4}
	readRedis     = cadence{every: 5, at: 3}
	writeAudit    = cadence{every: 25, at: 2}
	newRedis      = cadence{every: 50, at: 7}
)
