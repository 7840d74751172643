package redisacl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Refused is who tried to come in as one of cs since then and was turned away, by ACL LOG of every node that can be reached. It is a
// [rotation.Options]' Missed. Since when somebody tries is known as far as this Server has been asked before: the log has
// the last try alone.
func (s *Server) Refused(ctx context.Context, since time.Time, cs []rotation.Credential) (all []rotation.Refusal, err error) {
	err = s.with(ctx, func(ctx context.Context, fl *fleet) error {
		var found []rotation.Refusal
		for _, n := range fl.up {
			more, err := n.refused(ctx, since, cs)
			if err != nil {
				return wrap(err, "at %s", n.node.Name)
			}
			found = append(found, more...)
		}
		all = s.merge(found)
		return fl.whole()
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

func (n *session) refused(ctx context.Context, since time.Time, cs []rotation.Credential) (all []rotation.Refusal, err error) {
	now, err := n.clock(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := n.do(ctx, "ACL", "LOG", "128")
	entries, _ := answer.([]any)
	for _, e := range entries {
		entry := pairs(e)
		name := entry["username"]
		if entry["reason"] != "auth" || !slices.ContainsFunc(cs, func(c rotation.Credential) bool { return c.ID == name }) {
			continue
		}
		age, _ := strconv.ParseFloat(entry["age-seconds"], 64)
		last := now.Add(-time.Duration(age * float64(time.Second)))
		if last.Before(since.Add(-time.Second)) {
			continue
		}
		count, _ := strconv.Atoi(entry["count"])
		all = append(all, rotation.Refusal{
			ID: name, Address: parseClient(entry["client-info"], now).host, First: last, Last: last, Count: count,
		})
	}
	return all, wrap(err, "ACL LOG")
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
