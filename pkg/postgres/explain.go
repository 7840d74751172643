package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// SQLSTATEs that something here depends on.
const (
	codeWrongPassword  = "28P01"
	codeNotAuthorized  = "28000" // no line in pg_hba.conf, NOLOGIN, or no such role on a trusted path
	codeNoDatabase     = "3D000"
	codeNoPrivilege    = "42501"
	codeTooMany        = "53300"
	codeLocked         = "55P03"
	codeStarting       = "57P03"
	codeProtocol       = "08P01"
	codeInternal       = "XX000"
	concurrentlyEdited = "tuple concurrently" // the text of an XX000 when two sessions change one role
)

// passing are the errors that the same call may not meet again: the server is starting, stopping, full or busy, has
// ended the session, or has become a standby.
var passing = []string{
	codeTooMany, codeLocked, codeStarting, "57P01", "57P02", "57P05", "57014", "25P03", "25P04", "25006", "40001", "40P01",
	"08000", "08003", "08006", "55006",
}

// serverError is what the server said. The details, the context and the statement, in which a verifier can
// show, are left out.
type serverError struct{ code, message string }

func (e *serverError) Error() string { return fmt.Sprintf("%s (SQLSTATE %s)", e.message, e.code) }

func (e *serverError) Unwrap() error {
	if slices.Contains(passing, e.code) || e.code == codeInternal && strings.Contains(e.message, concurrentlyEdited) {
		return rotation.ErrUnavailable
	}
	return nil
}

// code is the SQLSTATE of err; "" when the server said nothing.
func code(err error) string {
	var said *serverError
	if errors.As(err, &said) {
		return said.code
	}
	return ""
}

// unreachable marks what kept a connection from being made, unless the operator has given up or a retry cannot help.
func unreachable(err error) error {
	untrusted := section.Untrusted(err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case untrusted != nil:
		return untrusted
	case errors.Is(err, errStranger):
		return rotation.WithHint(err, "check the host and the port")
	case errors.Is(err, errNoTLS):
		return rotation.WithHint(err, "choose the mode prefer or disable if that is meant to be so (postgres.sslmode)")
	}
	return serverconn.Unavailable(err)
}

// explain turns an error of pgx into one of ours. Those of pgx can hold the configuration of a connection, and with it
// the password, in fields that a careless printer would show; nothing of them is kept.
func explain(err error) error {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		err = connecting.Unwrap()
	}
	var said *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return &serverError{code: said.Code, message: said.Message}
	case errors.Is(err, pgconn.ErrConnClosed):
		return serverconn.Unavailable(errors.New("the connection was lost"))
	}
	return cmp.Or(section.Alert(err), serverconn.Network(err), unwantedIn(err), errors.New(err.Error()))
}

// admission adds to an error met by the admin at its login what to do about it.
func (a Admin) admission(err error) error {
	if rotation.Hint(err) != "" {
		return err
	}
	if hint := a.authHint(err); hint != "" {
		return rotation.WithHint(err, hint)
	}
	switch code(err) {
	case codeWrongPassword:
		return rotation.WithHint(err, fmt.Sprintf("the admin's password was refused: check where the one of %q comes from", a.User))
	case codeNotAuthorized:
		return rotation.WithHint(err, fmt.Sprintf("let %q log in by this path: see pg_hba.conf on the server", a.User))
	case codeNoDatabase:
		return rotation.WithHint(err, "name a database of the server for the admin to connect to")
	case codeNoPrivilege:
		return rotation.WithHint(err, fmt.Sprintf("grant CONNECT on the database to %s", ident(a.User)))
	case codeTooMany:
		return rotation.WithHint(err, "free a connection, or use an admin that may take a reserved one")
	case codeStarting:
		return rotation.WithHint(err, "wait until the server has started")
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return rotation.WithHint(err, "check that the server runs and on which port it listens")
	}
	return err
}
