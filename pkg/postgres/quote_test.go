package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var oddities = []string{
	"plain", "Upper", "with-hyphen", "with space", `double"quote`, "single'quote", `back\slash`, `\'; DROP ROLE x; --`,
	"$1 %I %L $$", "ünïcödé 資料", "select", "line\nbreak", strings.Repeat("x", 63),
}

func TestQuotingMeansWhatTheServersOwnDoes(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		a := appOn(t, version)
		for _, text := range oddities {
			for _, conforming := range []string{"on", "off"} {
				setting := fmt.Sprintf("SELECT set_config('standard_conforming_strings', '%s', false)", conforming)
				conn, err := a.Admin(context.Background(), "postgres")
				a.must("connect", err)
				a.as(conn, setting)
				var got, column string
				row := conn.QueryRow(context.Background(), fmt.Sprintf("SELECT c, to_jsonb(t) ->> %s FROM (SELECT %s AS %s) t(%s), LATERAL (SELECT %s) u(c)",
					literal(text), literal(text), ident(text), ident(text), literal(text)))
				a.must("query with "+text, row.Scan(&got, &column))
				if got != text || column != text {
					t.Errorf("%q came back as %q, and as a name it was lost: %q", text, got, column)
				}
				_ = conn.Close(context.Background())
			}
		}
	})
}

func TestNamesThatPostgreSQLWouldCutAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("x", 64): "64 bytes",
		strings.Repeat("ü", 32): "64 bytes",
		"":                      "empty",
		"nul\x00":               "zero byte",
	} {
		if err := checkName("role", name); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a refusal with %q", name, err, want)
		}
	}
	if err := checkName("role", strings.Repeat("x", 63)); err != nil {
		t.Error(err)
	}
}

// Every name that PostgreSQL can hold goes through a whole rotation.
func TestNamesWithQuotesSpacesAndHyphensRotate(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		for _, name := range []string{`quo"te's`, `Back\Slash`, "$1 %I", "資料 -- x"} {
			t.Run(name, func(t *testing.T) {
				a := namedAppOn(t, version, name)
				ctx := context.Background()
				a.sql("postgres", fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET search_path TO 'odd ''schema', \"$user\"", ident(name), ident(a.database)))
				c := a.next()
				a.stands(a.server, c, rotation.Accepts, "acting as "+name)
				conn := a.opened(c)
				var path string
				a.must("search_path", conn.QueryRow(ctx, "SHOW search_path").Scan(&path))
				if want := `"odd 'schema", "$user"`; path != want {
					t.Errorf("search_path is %s, want %s", path, want)
				}
				a.must("close", conn.Close(ctx))
				a.must("revoke", a.server.Revoke(ctx, pass, c))
				a.must("erase", a.server.Erase(ctx, pass, c))
				a.stands(a.server, c, rotation.Absent, "no such role")
			})
		}
	})
}

func TestListSettingsAreTakenApart(t *testing.T) {
	for text, want := range map[string]string{
		`"$user", public`:   `'$user', 'public'`,
		`a,b`:               `'a', 'b'`,
		`"a ""b""", "c, d"`: `'a "b"', 'c, d'`,
		`""`:                `''`,
		``:                  `''`,
		`"it's"`:            `'it''s'`,
	} {
		st, err := setting{Name: "search_path", Value: text}.assign("r")
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := strings.TrimPrefix(st.sql, `ALTER ROLE "r" SET "search_path" TO `); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{`a b`, `"open`, `a,`, `,a`, `a"b"`} {
		if st, err := (setting{Name: "search_path", Value: text}).assign("r"); err == nil {
			t.Errorf("%s became %s, want an error", text, st)
		}
	}
}
