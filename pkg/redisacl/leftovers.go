package redisacl

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Leftovers are users named after current, by hand or by rotations whose record was lost. Each is one line, with the connections
// that it has, and the command that ends it. Those in known are left out. No rotation touches them.
func (s *Server) Leftovers(ctx context.Context, current rotation.Credential, known ...string) (lines []string, err error) {
	base := current.ID
	if m := numbered.FindStringSubmatch(base); m != nil {
		base = m[1]
	}
	after := regexp.MustCompile(`^` + regexp.QuoteMeta(base) + `(_v?\d+(_\d+)?)?$`)
	err = s.with(ctx, func(ctx context.Context, fl *fleet) error {
		all, err := fl.users(ctx)
		if err != nil {
			return err
		}
		found := map[string]bool{}
		for _, one := range all {
			for name, u := range one.users {
				found[name] = found[name] || u.on && after.MatchString(name) && name != current.ID && !slices.Contains(known, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if !found[name] {
				continue
			}
			open, err := fl.sessions(ctx, name)
			if err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("%s can come in too (%d connections now): a leftover of an earlier rotation? What ends it, on every node: ACL DELUSER %s",
				name, len(open), name))
		}
		return nil
	})
	return lines, wrap(err, "looking for leftovers of %s", current.ID)
}
