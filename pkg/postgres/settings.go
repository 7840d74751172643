package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// setting is one configuration parameter of a role, in one database or in all. SET ROLE applies none of the settings of
// the role that it sets, so a new login is given copies.
type setting struct {
	Database string // "" is all
	Name     string
	Value    string // as PostgreSQL stores it
}

// settings are all of a role's but "role" itself, which each login has of its own.
func (n *session) settings(ctx context.Context, role string) ([]setting, error) {
	all, err := list(ctx, n, pgx.RowToStructByPos[setting], `
		SELECT coalesce(d.datname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
		FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
		LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) WITH ORDINALITY AS u(c, at)
		WHERE r.rolname = $1 AND split_part(c, '=', 1) <> 'role'
		ORDER BY 1, u.at`, role)
	return all, wrap(err, "reading the settings of role %s", role)
}

// kept are the settings of model's that a login is given that takes its place. Those that can keep an application from working are not taken
// from a login that has leaked: whoever has it may have set them.
func (s *Server) kept(ctx context.Context, n *session, model string) (kept []setting, err error) {
	all, err := n.settings(ctx, model)
	if err != nil || model != s.Leaked {
		return all, err
	}
	var left, names []string
	for _, one := range all {
		if slices.Contains(denying, strings.ToLower(one.Name)) {
			left = append(left, one.Name)
			continue
		}
		kept, names = append(kept, one), append(names, one.Name)
	}
	if len(left) > 0 {
		s.note("the new login is not given these settings of %s, which could keep it from working: %s", model, strings.Join(left, ", "))
	}
	if len(names) > 0 {
		s.note("the new login has these settings of %s, which whoever has that could set: %s", model, strings.Join(names, ", "))
	}
	return kept, nil
}

// denying are settings that any login may have of its own, and that can end its sessions or keep them from writing.
var denying = []string{
	"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout",
	"default_transaction_read_only", "default_transaction_isolation", "default_transaction_deferrable", "local_preload_libraries",
	"session_preload_libraries", "client_connection_check_interval", "tcp_user_timeout", "default_tablespace", "temp_tablespaces", "row_security",
}

// missing are the settings of model that role does not have, whatever their values.
func missing(model, role []setting) (lack []setting) {
	for _, m := range model {
		if !slices.ContainsFunc(role, func(r setting) bool { return r.Database == m.Database && r.Name == m.Name }) {
			lack = append(lack, m)
		}
	}
	return lack
}

// assign is the statement that gives a role the setting.
func (s setting) assign(role string) (statement, error) {
	value := literal(s.Value)
	if slices.Contains(listSettings, strings.ToLower(s.Name)) {
		names, ok := splitNames(s.Value)
		if !ok {
			return statement{}, fmt.Errorf("setting %s of the login in use is no list of names", s.Name)
		}
		if len(names) > 0 {
			value = quoteEach(names)
		}
	}
	place := ""
	if s.Database != "" {
		place = " IN DATABASE " + ident(s.Database)
	}
	name := strings.Split(s.Name, ".")
	for i := range name {
		name[i] = ident(name[i])
	}
	return statement{sql: fmt.Sprintf("ALTER ROLE %s%s SET %s TO %s", ident(role), place, strings.Join(name, "."), value)}, nil
}

// listSettings are the parameters that PostgreSQL stores as a list of quoted names (GUC_LIST_QUOTE): given back as one
// literal, such a list would become a single strange name. No extension can add to them.
var listSettings = []string{
	"local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
	"temp_tablespaces", "unix_socket_directories",
}

func quoteEach(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = literal(name)
	}
	return strings.Join(quoted, ", ")
}

// splitNames reads a list of names, quoted or not, separated by commas. ok is false where it is none.
func splitNames(text string) (names []string, ok bool) {
	rest := strings.TrimSpace(text)
	for rest != "" {
		var name string
		if name, rest, ok = cutName(rest); !ok {
			return nil, false
		}
		names = append(names, name)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return names, true
		}
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return nil, false
		}
		if rest = strings.TrimSpace(rest); rest == "" {
			return nil, false
		}
	}
	return nil, true
}

// cutName takes one name off the start of a list.
func cutName(text string) (name, rest string, ok bool) {
	if text[0] != '"' {
		end := strings.IndexAny(text, ", \t\n\r\f\v\"")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], end > 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '"':
			name += text[i : i+1]
		case strings.HasPrefix(text[i:], `""`):
			name += `"`
			i++
		default:
			return name, text[i+1:], true
		}
	}
	return "", "", false
}
