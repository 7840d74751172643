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
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// Keys are those of one database of a server, which what was opened with a leaked value is kept in. It implements
// [rotation.Aftermath]. A key that does not match stays.
type Keys struct {
	Server   *Server
	Database int
	Patterns []string // as SCAN has them: session:*
	Flush    bool     // all keys of the database go, whatever they match
	// Progress is kept from call to call: End goes on where the call before it has stopped.
	Progress *Progress
}

// Progress is how far the keys of a server have been gone through.
type Progress struct {
	mu      sync.Mutex
	cursors map[string]string // by the run of a node, the database and the pattern
	removed int
}

// over is a cursor past the end.
const over = "over"

func (p *Progress) at(place string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(p.cursors[place], "0")
}

// gone is called when removed keys have gone, and place is at cursor.
func (p *Progress) gone(place, cursor string, removed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cursors == nil {
		p.cursors = map[string]string{}
	}
	p.cursors[place] = cursor
	p.removed += removed
}

// end forgets everything, and gives how many keys have gone.
func (p *Progress) end() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	removed := p.removed
	p.cursors, p.removed = nil, 0
	return removed
}

// batch is how many keys are removed at once, and the least that are asked for at once; mostAsked is the most: a node serves nobody else
// meanwhile.
const (
	batch     = 500
	mostAsked = 10_000
)

// shownPrefixes is how many groups of keys are listed one by one.
const shownPrefixes = 10

// Look counts the keys that would go, by what their names begin with, as far as that can be done in a moment.
func (k Keys) Look(ctx context.Context) (lines []string, err error) {
	var mu sync.Mutex
	counts, total, whole := map[string]int{}, 0, true
	k.Progress = &Progress{}
	err = k.each(ctx, func(_ context.Context, _ *session, keys []string) error {
		mu.Lock()
		defer mu.Unlock()
		for _, key := range keys {
			counts[prefix(key)]++
		}
		total += len(keys)
		return nil
	})
	if errors.Is(err, rotation.ErrNotYet) {
		err, whole = nil, false
	}
	if err != nil {
		return nil, err
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		if i < shownPrefixes {
			lines = append(lines, fmt.Sprintf("  %d keys %s", counts[name], name))
		}
	}
	if more := len(names) - shownPrefixes; more > 0 {
		lines = append(lines, fmt.Sprintf("  and those of %d more prefixes", more))
	}
	first := fmt.Sprintf("%s: %d keys go", k.what(), total)
	if !whole {
		first += ", and more: there was no time to count all keys"
	}
	return append([]string{first}, lines...), nil
}

// End removes them, by UNLINK, or all keys by FLUSHDB. Where that takes long, it ends with [rotation.ErrNotYet] after a while, and the next
// call with the same Progress goes on.
func (k Keys) End(ctx context.Context) (string, error) {
	if k.Progress == nil {
		k.Progress = &Progress{}
	}
	if k.Flush {
		err := k.primaries(ctx, func(ctx context.Context, n *session) error {
			keys := n.keys(k.Database)
			if err := n.run(ctx, "FLUSHDB", "ASYNC"); err != nil {
				return err
			}
			k.Progress.gone("", "", keys)
			return nil
		})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: %d keys removed", k.what(), k.Progress.end()), nil
	}
	err := k.each(ctx, func(ctx context.Context, n *session, keys []string) error { return n.unlink(ctx, keys) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %d keys removed", k.what(), k.Progress.end()), nil
}

// unlink removes keys. In a cluster those of one command have to be in one slot: each has a command of its own.
func (n *session) unlink(ctx context.Context, keys []string) error {
	size := len(keys)
	if n.config["cluster_enabled"] == "1" {
		size = 1
	}
	for some := range slices.Chunk(keys, batch) {
		var commands [][]string
		for each := range slices.Chunk(some, min(size, len(some))) {
			commands = append(commands, append([]string{"UNLINK"}, each...))
		}
		for _, one := range n.send(ctx, commands) {
			if err := one.Err(); err != nil {
				return wrap(explain(err), "UNLINK")
			}
		}
	}
	return nil
}

// keys is how many a database of the node has.
func (n *session) keys(database int) int {
	return atoi(fields(n.config["db"+strconv.Itoa(database)], ",")["keys"])
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

// each calls do with the keys that go, some at a time, at every primary, from where Progress says. It stops after half of the time that a
// call may take.
func (k Keys) each(ctx context.Context, do func(context.Context, *session, []string) error) error {
	patterns := k.Patterns
	if k.Flush {
		patterns = []string{"*"}
	}
	until := time.Now().Add(k.Server.timeout() / 2)
	return k.primaries(ctx, func(ctx context.Context, n *session) error {
		for _, pattern := range patterns {
			if err := k.scan(ctx, n, pattern, until, do); err != nil {
				return err
			}
		}
		return nil
	})
}

// primaries calls do at every node that is one, at all at once, in the right database. All of them have to be there.
func (k Keys) primaries(ctx context.Context, do func(context.Context, *session) error) error {
	return k.Server.with(ctx, func(ctx context.Context, f *fleet) error {
		if err := f.whole(); err != nil {
			return err
		}
		all := slices.DeleteFunc(slices.Clone(f.up), func(n *session) bool { return !n.primary() })
		if len(all) == 0 {
			return serverconn.Unavailable(errors.New("none of the nodes is a primary"))
		}
		errs := make([]error, len(all))
		atOnce(len(all), func(i int) { errs[i] = wrap(k.grant(k.within(ctx, all[i], do)), "at %s", all[i].node.Name) })
		for _, err := range errs {
			if err != nil && !errors.Is(err, rotation.ErrNotYet) {
				return err
			}
		}
		return errors.Join(errs...)
	})
}

// within calls do in the right database.
func (k Keys) within(ctx context.Context, n *session, do func(context.Context, *session) error) error {
	if k.Database == 0 {
		return do(ctx, n)
	}
	if err := n.run(ctx, "SELECT", strconv.Itoa(k.Database)); err != nil {
		return err
	}
	err := do(ctx, n)
	if err == nil || errors.Is(err, rotation.ErrNotYet) {
		err = errors.Join(err, n.run(ctx, "SELECT", "0"))
	}
	return err
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

// scan gives the keys that match, some at a time, from where Progress says. One that is there from the beginning to the end is given,
// perhaps twice. A cursor means nothing to another process of the node.
func (k Keys) scan(ctx context.Context, n *session, pattern string, until time.Time, do func(context.Context, *session, []string) error) error {
	place := fmt.Sprintf("%s/%d/%s", n.config["run_id"], k.Database, pattern)
	count := strconv.Itoa(min(max(n.keys(k.Database)/200, batch), mostAsked))
	for cursor := k.Progress.at(place); cursor != over; {
		answer, err := n.do(ctx, "SCAN", cursor, "MATCH", pattern, "COUNT", count)
		if err != nil {
			return wrap(err, "SCAN")
		}
		next, keys, err := scanned(answer)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			if err := do(ctx, n, keys); err != nil {
				return err
			}
		}
		cursor = next
		k.Progress.gone(place, cursor, len(keys))
		if cursor != over && time.Now().After(until) {
			return fmt.Errorf("not all keys were gone through yet: %w", rotation.ErrNotYet)
		}
	}
	return nil
}

// scanned takes the answer to SCAN apart.
func scanned(answer any) (cursor string, keys []string, err error) {
	pair, _ := answer.([]any)
	if len(pair) != 2 {
		return "", nil, fmt.Errorf("SCAN was answered with %d parts", len(pair))
	}
	list, _ := pair[1].([]any)
	for _, one := range list {
		if key, ok := one.(string); ok {
			keys = append(keys, key)
		}
	}
	if cursor, _ = pair[0].(string); cursor == "0" || cursor == "" {
		cursor = over
	}
	return cursor, keys, nil
}
