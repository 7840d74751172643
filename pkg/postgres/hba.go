package postgres

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// hbaRule is a line of a node's pg_hba.conf, as pg_hba_file_rules gives it.
type hbaRule struct {
	Line      int
	Type      string
	Databases []string
	Users     []string
	Address   string
	Netmask   string
	Method    string
}

// hbaRules reads the lines for network connections; known is false where the admin may not.
func (n *session) hbaRules(ctx context.Context) (rules []hbaRule, known bool, err error) {
	known, err = one[bool](ctx, n, `
		SELECT has_table_privilege('pg_hba_file_rules', 'SELECT') AND has_function_privilege('pg_hba_file_rules()', 'EXECUTE')`)
	if err != nil || !known {
		return nil, false, wrap(err, "asking whether pg_hba_file_rules may be read")
	}
	rules, err = list(ctx, n, pgx.RowToStructByPos[hbaRule], `
		SELECT line_number, type, database, user_name, coalesce(address, ''), coalesce(netmask, ''), auth_method
		FROM pg_hba_file_rules WHERE error IS NULL AND type <> 'local' ORDER BY line_number`)
	return rules, true, wrap(err, "reading pg_hba_file_rules")
}

// hbaDoubt is why pg_hba.conf may turn a new login away from where the old one comes in: a line that names the old
// login and not a group, with no other line that would let the new one in instead. A login from here does not
// notice, since it comes by another path than the application. "" is no doubt, or nothing known.
func (n *session) hbaDoubt(ctx context.Context, sub subject, databases []string) (string, error) {
	var olds []string
	for _, old := range []string{sub.owner, sub.c.Meta[MetaModel]} {
		if old != "" && old != sub.c.ID {
			olds = append(olds, old)
		}
	}
	if len(olds) == 0 {
		return "", nil
	}
	rules, known, err := n.hbaRules(ctx)
	if err != nil || !known {
		return "", err
	}
	groups, err := list(ctx, n, pgx.RowTo[string], `
		SELECT g.rolname::text FROM pg_roles g, pg_roles o WHERE o.rolname = $1 AND pg_has_role(o.oid, g.oid, 'MEMBER')`, sub.owner)
	if err != nil {
		return "", wrap(err, "reading the groups of %s", sub.owner)
	}
	for _, old := range olds {
		if r, ok := onlyOld(rules, old, sub.c.ID, groups, databases); ok {
			return fmt.Sprintf("line %d of pg_hba.conf on %s names %s, not %s", r.Line, n.node.Name, old, sub.c.ID), nil
		}
	}
	return "", nil
}

// onlyOld is the first line that lets login old in, and whose like login fresh has not.
func onlyOld(rules []hbaRule, old, fresh string, groups, databases []string) (hbaRule, bool) {
	for _, r := range rules {
		if r.Method == "reject" || !r.about(databases) || !r.matches(old, groups) {
			continue
		}
		letsIn := func(other hbaRule) bool { // r itself, or one in its place
			return other.Method != "reject" && other.matches(fresh, groups) && other.covers(r)
		}
		if !slices.ContainsFunc(rules, letsIn) {
			return r, true
		}
	}
	return hbaRule{}, false
}

// matches says whether the rule is for a login that is a member of groups.
func (r hbaRule) matches(login string, groups []string) bool {
	return slices.ContainsFunc(r.Users, func(user string) bool {
		switch {
		case user == "all", user == login:
			return true
		case strings.HasPrefix(user, "+"):
			return slices.Contains(groups, user[1:])
		case strings.HasPrefix(user, "/"): // from 16 on
			pattern, err := regexp.Compile(user[1:])
			return err == nil && pattern.MatchString(login)
		}
		return false
	})
}

// about says whether the rule is for one of databases.
func (r hbaRule) about(databases []string) bool {
	return slices.ContainsFunc(r.Databases, func(d string) bool {
		return d == "all" || strings.HasPrefix(d, "same") || strings.HasPrefix(d, "/") || slices.Contains(databases, d)
	})
}

// covers says whether the rule is for all connections that other is for, as far as that can be seen.
func (r hbaRule) covers(other hbaRule) bool {
	if r.Type != "host" && r.Type != other.Type {
		return false
	}
	if !slices.Contains(r.Databases, "all") &&
		slices.ContainsFunc(other.Databases, func(d string) bool { return !slices.Contains(r.Databases, d) }) {
		return false
	}
	if r.Address == "all" || r.Address == other.Address && r.Netmask == other.Netmask {
		return true
	}
	wide, ok := r.prefix()
	narrow, also := other.prefix()
	return ok && also && wide.Bits() <= narrow.Bits() && wide.Contains(narrow.Addr())
}

func (r hbaRule) prefix() (netip.Prefix, bool) {
	addr, err := netip.ParseAddr(r.Address)
	if err != nil {
		return netip.Prefix{}, false
	}
	mask, err := netip.ParseAddr(r.Netmask)
	if err != nil {
		return netip.Prefix{}, false
	}
	bits, _ := net.IPMask(mask.AsSlice()).Size()
	return netip.PrefixFrom(addr, bits), true
}
