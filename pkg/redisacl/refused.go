package redisacl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Refused is who tried to come in as one of cs since then and was turned away, by ACL LOG of every node that can be reached; an error says
// why that is not all. It is a [rotation.Environment]'s Missed. Since when somebody tries is known as far as this Server has been asked
// before: the log has the last try alone, and of several who try one name within a minute, the last of them.
func (s *Server) Refused(ctx context.Context, since time.Time, cs []rotation.Credential) (all []rotation.Refusal, err error) {
	err = s.with(ctx, func(ctx context.Context, fl *fleet) error {
		found, err := ask(ctx, fl, func(ctx context.Context, n *session) ([]rotation.Refusal, error) {
			return n.refused(ctx, s.now, since, cs)
		})
		var lines []rotation.Refusal
		for _, one := range found {
			lines = append(lines, one.of...)
		}
		all = s.merge(lines)
		return errors.Join(err, fl.whole())
	})
	return all, wrap(err, "who was refused as %s", names(cs))
}

func names(cs []rotation.Credential) string {
	var all []string
	for _, c := range cs {
		all = append(all, c.ID)
	}
	return strings.Join(all, ", ")
}

// merge makes one of all that one client has tried with one name, and remembers when that was first seen.
func (s *Server) merge(found []rotation.Refusal) (all []rotation.Refusal) {
	if s.firsts == nil {
		s.firsts = map[string]time.Time{}
	}
	for _, r := range found {
		key := r.ID + " " + r.Address
		if first, known := s.firsts[key]; !known || r.First.Before(first) {
			s.firsts[key] = r.First
		}
		r.First = s.firsts[key]
		i := slices.IndexFunc(all, func(o rotation.Refusal) bool { return o.ID == r.ID && o.Address == r.Address })
		if i < 0 {
			all = append(all, r)
			continue
		}
		o := &all[i]
		o.Count, o.First = o.Count+r.Count, r.First
		if r.Last.After(o.Last) {
			o.Last = r.Last
		}
	}
	return all
}

// mostRefused is how many entries of an ACL LOG are read.
const mostRefused = 10_000

// refused are the entries of ACL LOG about cs since then, by the clock that since is by: the node's own says only how old each is.
// What is not known is an error: the log may be turned off, or so short that others have pushed entries out of it.
func (n *session) refused(ctx context.Context, clock func() time.Time, since time.Time, cs []rotation.Credential) (all []rotation.Refusal, err error) {
	length, err := n.setting(ctx, "acllog-max-len")
	if err != nil {
		return nil, err
	}
	answer, err := n.do(ctx, "ACL", "LOG", strconv.Itoa(mostRefused))
	if err != nil {
		return nil, wrap(err, "ACL LOG")
	}
	entries, _ := answer.([]any)
	now, whole := clock(), len(entries) < min(atoi(length), mostRefused)
	for _, e := range entries {
		entry := pairs(e)
		age, err := strconv.ParseFloat(entry["age-seconds"], 64)
		if err != nil {
			return nil, fmt.Errorf("ACL LOG: an entry without an age: %w", err)
		}
		last := now.Add(-time.Duration(age * float64(time.Second)))
		if last.Before(since.Add(-time.Second)) {
			whole = true // it reaches further back
			continue
		}
		name := entry["username"]
		if entry["reason"] != "auth" || !slices.ContainsFunc(cs, func(c rotation.Credential) bool { return c.ID == name }) {
			continue
		}
		all = append(all, rotation.Refusal{
			ID: name, Address: parseClient(entry["client-info"], now).host, First: last, Last: last, Count: atoi(entry["count"]),
		})
	}
	if !whole {
		return all, fmt.Errorf("ACL LOG holds %d entries (acllog-max-len %s), and none of before: some may be lost", len(entries), length)
	}
	return all, nil
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// pairs is an answer that is a list of names and values, which is how a map comes.
func pairs(answer any) map[string]string {
	list, _ := answer.([]any)
	all := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		all[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
	}
	return all
}
