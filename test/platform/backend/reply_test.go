package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestFailuresAreNamedForCounting(t *testing.T) {
	refused := func(code string) error {
		return fmt.Errorf("opening a new connection: %w", &pgconn.PgError{Code: code})
	}
	for want, err := range map[string]error{
		"login refused":               refused("28P01"),
		"permission denied":           refused("42501"),
		"too many connections":        refused("53300"),
		"session ended by the server": refused("57P01"),
		"database error 42P01":        refused("42P01"),
		"database unreachable":        errors.New("dial tcp: connection refused"),
		"redis login refused":         errors.Join(errRedis, errors.New("WRONGPASS invalid username-password pair")),
		"redis unreachable":           errors.Join(errRedis, errors.New("EOF")),
		"token refused":               errors.Join(errToken, errors.New("signature is invalid")),
		"bad request":                 errors.Join(errRequest, errors.New("table")),
	} {
		if got := classOf(err); got != want {
			t.Errorf("%v: class %q, want %q", err, got, want)
		}
	}
}

func TestTableNamesAreTakenOnlyAsPlainWords(t *testing.T) {
	for query, want := range map[string]string{
		"table=made_by_v2":                  `"made_by_v2"`,
		"table=select":                      `"select"`,
		"":                                  "",
		"table=items%3B+DROP+TABLE+items":   "",
		"table=%22quoted%22":                "",
		"table=" + string(make([]byte, 64)): "",
	} {
		r := httptest.NewRequest("POST", "/table", nil)
		r.URL.RawQuery = query
		got, err := tableOf(r)
		if got != want || (want == "") != errors.Is(err, errRequest) {
			t.Errorf("%q: %s, %v; want %s", query, got, err, want)
		}
	}
}

func TestNoRequestDoesEverythingBesides(t *testing.T) {
	all := []cadence{newConnection, pingRedis, writeAudit, newRedis}
	done := make([]int, len(all))
	for n := uint64(1); n <= 100; n++ {
		extras := 0
		for i, c := range all {
			if c.due(n) {
				done[i]++
				extras++
			}
		}
		if extras > 1 {
			t.Errorf("request %d does %d things besides", n, extras)
		}
	}
	for i, want := range []int{10, 10, 4, 2} {
		if done[i] != want {
			t.Errorf("cadence %d: %d of 100 requests, want %d", i, done[i], want)
		}
	}
}
