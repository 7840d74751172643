package redisacl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Keys are those of one database of a server, which what was opened with a leaked value is kept in. It implements
// [rotation.Aftermath]. A key that does not match stays.
type Keys struct {
	Server   *Server
	Database int
	Patterns []string // as SCAN has them: session:*
	Flush    bool     // all keys of the database go, whatever they match
}

// batch is how many keys are asked for at once, and removed at once.
const batch = 500

// shownPrefixes is how many groups of keys are listed one by one.
const shownPrefixes = 10

// Look counts the keys that would go, by what their names begin with.
func (k Keys) Look(ctx context.Context) (lines []string, err error) {
	counts := map[string]int{}
	err = k.each(ctx, func(_ context.Context, _ *session, keys []string) error {
		for _, key := range keys {
			counts[prefix(key)]++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := 0
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		total += counts[name]
		if i < shownPrefixes {
			lines = append(lines, fmt.Sprintf("  %d keys %s", counts[name], name))
		}
	}
	if more := len(names) - shownPrefixes; more > 0 {
		lines = append(lines, fmt.Sprintf("  and those of %d more prefixes", more))
	}
	return append([]string{fmt.Sprintf("%s: %d keys go", k.what(), total)}, lines...), nil
}

// End removes them, by UNLINK, or all keys by FLUSHDB.
func (k Keys) End(ctx context.Context) (string, error) {
	removed := 0
	if k.Flush {
		err := k.each(ctx, func(_ context.Context, _ *session, keys []string) error {
			removed += len(keys)
			return nil
		})
		if err == nil {
			err = k.primaries(ctx, func(ctx context.Context, n *session) error { return n.run(ctx, "FLUSHDB", "ASYNC") })
		}
		return fmt.Sprintf("%s: %d keys removed", k.what(), removed), err
	}
	err := k.each(ctx, func(ctx context.Context, n *session, keys []string) error {
		size := batch
		if n.config["cluster_enabled"] == "1" {
			size = 1 // keys of one command have to be in one slot
		}
		for some := range slices.Chunk(keys, size) {
			if err := n.run(ctx, append([]string{"UNLINK"}, some...)...); err != nil {
				return err
			}
		}
		removed += len(keys)
		return nil
	})
	return fmt.Sprintf("%s: %d keys removed", k.what(), removed), err
}

// Warning says what goes beside the sessions.
func (k Keys) Warning() string {
	if !k.Flush {
		return ""
	}
	return "; FLUSHDB takes every key of the database, caches and lists of what is not to be accepted among them"
}

func (k Keys) what() string {
	if k.Flush {
		return "FLUSHDB of database " + strconv.Itoa(k.Database)
	}
	return "UNLINK " + strings.Join(k.Patterns, ", ")
}

// prefix is what a key's name begins with, to its first separator: the rest may be a secret of somebody's.
func prefix(key string) string {
	if i := strings.IndexAny(key, ":/|"); i >= 0 {
		return key[:i+1] + "*"
	}
	return "without a prefix"
}

// each calls do with the keys that go, some at a time, at every primary.
func (k Keys) each(ctx context.Context, do func(context.Context, *session, []string) error) error {
	patterns := k.Patterns
	if k.Flush {
		patterns = []string{"*"}
	}
	return k.primaries(ctx, func(ctx context.Context, n *session) error {
		for _, pattern := range patterns {
			if err := n.scan(ctx, pattern, func(keys []string) error { return do(ctx, n, keys) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// primaries calls do at every node that is one, in the right database. All of them have to be there.
func (k Keys) primaries(ctx context.Context, do func(context.Context, *session) error) error {
	return k.Server.with(ctx, func(ctx context.Context, f *fleet) error {
		if err := f.whole(); err != nil {
			return err
		}
		if !slices.ContainsFunc(f.up, (*session).primary) {
			return unavailable{errors.New("none of the nodes is a primary")}
		}
		for _, n := range f.up {
			if !n.primary() {
				continue
			}
			if k.Database != 0 {
				if err := n.run(ctx, "SELECT", strconv.Itoa(k.Database)); err != nil {
					return wrap(err, "at %s", n.node.Name)
				}
			}
			err := k.grant(do(ctx, n))
			if k.Database != 0 && err == nil {
				err = n.run(ctx, "SELECT", "0")
			}
			if err != nil {
				return wrap(err, "at %s", n.node.Name)
			}
		}
		return nil
	})
}

// grant names the rules that it takes to end sessions, where the admin lacks one.
func (k Keys) grant(err error) error {
	if code(err) != "NOPERM" {
		return err
	}
	rules := "+scan +unlink ~" + strings.Join(k.Patterns, " ~")
	if k.Flush {
		rules = "+scan +flushdb"
	}
	return rotation.WithHint(err, fmt.Sprintf("ACL SETUSER %s %s", k.Server.admin(), rules))
}

func (n *session) primary() bool { return n.config["role"] == "master" }

// scan gives the keys that match, some at a time. One that is there from the beginning to the end is given, perhaps twice.
func (n *session) scan(ctx context.Context, pattern string, do func([]string) error) error {
	for cursor := "0"; ; {
		answer, err := n.do(ctx, "SCAN", cursor, "MATCH", pattern, "COUNT", strconv.Itoa(batch))
		if err != nil {
			return wrap(err, "SCAN")
		}
		pair, _ := answer.([]any)
		if len(pair) != 2 {
			return fmt.Errorf("SCAN was answered with %d parts", len(pair))
		}
		cursor, _ = pair[0].(string)
		list, _ := pair[1].([]any)
		var keys []string
		for _, one := range list {
			if key, ok := one.(string); ok {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			if err := do(keys); err != nil {
				return err
			}
		}
		if cursor == "0" || cursor == "" {
			return nil
		}
	}
}
