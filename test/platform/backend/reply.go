package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// answer is the body of every reply. The load generator counts by pod, login, key and error.
type answer struct {
	Pod   string `json:"pod"`
	Login string `json:"login,omitempty"` // PostgreSQL's session_user
	Role  string `json:"role,omitempty"`  // PostgreSQL's current_user, the owner of what is made
	Fresh bool   `json:"fresh,omitempty"` // a new database connection served this request
	Item  *item  `json:"item,omitempty"`
	Rows  int    `json:"rows,omitempty"`

	Token   string     `json:"token,omitempty"`
	Key     string     `json:"key,omitempty"` // which signing key
	Expires *time.Time `json:"expires,omitempty"`

	Messages *received `json:"messages,omitempty"` // of the subscription to Redis

	Error string `json:"error,omitempty"` // a short class; the detail is in the log
}

func (b *backend) reply(w http.ResponseWriter, status int, a answer) {
	a.Pod = b.pod
	a.Messages = b.redis.received()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // an error here is the client's, and it will know
}

// fail answers with the class of err and logs the rest. No error of pgx or go-redis contains a password.
func (b *backend) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errToken):
		status = http.StatusUnauthorized
	case errors.Is(err, errRequest):
		status = http.StatusBadRequest
	case r.URL.Path == "/health/ready":
		status = http.StatusServiceUnavailable
	}
	class := classOf(err)
	slog.Error("request failed", "path", r.URL.Path, "status", status, "class", class, "err", err)
	b.reply(w, status, answer{Error: class})
}

// errRequest marks what the client asked for wrongly.
var errRequest = errors.New("bad request")

// classOf names the kind of failure in two or three words, so that a count of them stays readable.
func classOf(err error) string {
	switch {
	case errors.Is(err, errToken):
		return "token refused"
	case errors.Is(err, errRequest):
		return "bad request"
	case errors.Is(err, errRedis):
		return redisClass(err)
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return "database unreachable"
	}
	switch pg.Code {
	case "28P01", "28000": // invalid_password, invalid_authorization_specification
		return "login refused"
	case "42501": // insufficient_privilege
		return "permission denied"
	case "53300": // too_many_connections
		return "too many connections"
	case "57P01": // admin_shutdown, which pg_terminate_backend gives too
		return "session ended by the server"
	}
	return "database error " + pg.Code
}

func redisClass(err error) string {
	text := err.Error()
	for _, refusal := range []string{"WRONGPASS", "NOAUTH", "NOPERM"} {
		if strings.Contains(text, refusal) {
			return "redis login refused"
		}
	}
	return "redis unreachable"
}
