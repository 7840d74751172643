package redisacl

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Plan is the commands that an effect on c would run now, with hashes shown as [rotation.Redacted], for each node or, where they are
// the same, for several. It does not look at what erasing waits for.
func (s *Server) Plan(ctx context.Context, e rotation.Effect, c rotation.Credential) ([]string, error) {
	return s.plan(ctx, e, c, func(o owners, all seen, one at) ([]string, error) {
		if err := s.mayChange(c); err != nil {
			return nil, err
		}
		w := o.whose(one.users[c.ID], c)
		switch {
		case e == rotation.EffectInstall:
			words, _, err := o.installing(all, one, c)
			return setting(c.ID, words), err
		case w == nobodys || w == others || w == guests:
			return nil, nil
		case e == rotation.EffectRevoke:
			return []string{"ACL SETUSER " + c.ID + " off", "CLIENT KILL USER " + c.ID}, nil
		}
		return []string{"ACL DELUSER " + c.ID}, nil
	})
}

// setting is ACL SETUSER as it is shown; none for no words.
func setting(name string, words []string) []string {
	if words == nil {
		return nil
	}
	return []string{"ACL SETUSER " + name + " " + hexadecimal.ReplaceAllString(strings.Join(words, " "), rotation.Redacted)}
}

func (s *Server) plan(ctx context.Context, e rotation.Effect, c rotation.Credential, at func(owners, seen, at) ([]string, error)) (lines []string, err error) {
	err = s.with(ctx, func(ctx context.Context, fl *fleet) error {
		o, err := s.owners(ctx)
		if err != nil {
			return err
		}
		all, err := fl.users(ctx)
		if err != nil {
			return err
		}
		var names, texts []string
		for _, one := range all {
			commands, err := at(o, all, one)
			if err != nil {
				return err
			}
			text := "-- nothing to do for user " + c.ID
			if len(commands) > 0 {
				if one.n.storage.save != nil {
					commands = append(commands, strings.Join(one.n.storage.save, " "))
				}
				text = strings.Join(commands, "\n")
			}
			names, texts = grouped(names, texts, one.n.node.Name, text)
		}
		for i, text := range texts {
			lines = append(lines, "-- at "+names[i])
			lines = append(lines, strings.Split(text, "\n")...)
		}
		for _, d := range fl.down {
			lines = append(lines, fmt.Sprintf("-- at %s: not reached: %v", d.name, d.err))
		}
		return nil
	})
	return lines, wrap(err, "planning to %s %s", e, c.ID)
}

// grouped adds a node to those of which the same is said, or with a text of its own.
func grouped(names, texts []string, name, text string) ([]string, []string) {
	for i := range texts {
		if texts[i] == text {
			names[i] += ", " + name
			return names, texts
		}
	}
	return append(names, name), append(texts, text)
}
