package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5"
)

// RefusalIn reads one line of a server's log: whether it turned one of logins away there, and from which address, which is
// "" where log_line_prefix has no %h. It knows the server's own words in English, as they stand in its log and, escaped, in a
// JSON log that a program around the server makes of it.
func RefusalIn(line string, logins []string) (login, address string, ok bool) {
	before, message, found := strings.Cut(line, "FATAL:  ")
	for _, login := range logins {
		for _, words := range refusals(login) {
			escaped := `"` + strings.ReplaceAll(words, `"`, `\"`) + `"`
			if found && message == words && !strings.Contains(before, ":  ") || strings.Contains(line, `"FATAL"`) && strings.Contains(line, escaped) {
				return login, addressIn(strings.Replace(line, words, "", 1)), true
			}
		}
	}
	return "", "", false
}

// refusals are what a server says when it turns a login away.
func refusals(login string) []string {
	return []string{
		fmt.Sprintf(`role "%s" is not permitted to log in`, login),
		fmt.Sprintf(`password authentication failed for user "%s"`, login),
		fmt.Sprintf(`role "%s" does not exist`, login),
	}
}

// addressIn is the first IP address in a line, with or without a port after it.
func addressIn(line string) string {
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,;=@[]()\"", r) }) {
		host, _, _ := strings.Cut(word, "(")
		if a, err := netip.ParseAddr(host); err == nil {
			return a.String()
		}
		if a, err := netip.ParseAddrPort(host); err == nil {
			return a.Addr().String()
		}
	}
	return ""
}

// Unlogged says why a login that the server turns away may not stand in what it writes to its standard error in the words that
// [RefusalIn] knows; "" where it does.
func (s *Server) Unlogged(ctx context.Context) (why string, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		for _, n := range cl.nodes() {
			l, err := list(ctx, n, pgx.RowToStructByPos[logging], `
				SELECT current_setting('logging_collector')::bool, current_setting('log_min_messages'), current_setting('lc_messages')`)
			if err != nil {
				return wrap(err, "reading how %s logs", n.node.Name)
			}
			if why = l[0].hides(); why != "" {
				why = n.node.Name + " " + why
				return nil
			}
		}
		return nil
	})
	return why, err
}

// logging is how a server logs.
type logging struct {
	Collector   bool
	Least, Lang string
}

func (l logging) hides() string {
	lang, _, _ := strings.Cut(strings.ToLower(l.Lang), ".")
	switch {
	case l.Collector:
		return "logs to files of its own (logging_collector)"
	case l.Least == "panic":
		return "does not log it (log_min_messages)"
	case lang != "" && lang != "c" && lang != "posix" && !strings.HasPrefix(lang, "en"):
		return fmt.Sprintf("logs in another language (lc_messages is %s)", l.Lang)
	}
	return ""
}
