package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// consent answers the questions of a run: by the flags where they cover them, else by asking on the terminal.
func (g *global) consent(o *opened, q request) func(context.Context, rotation.Question) error {
	return func(ctx context.Context, asked rotation.Question) error {
		switch {
		case q.covers(asked.Kind):
			return nil
		case !g.Terminal:
			return declined(asked)
		}
		return g.ask(ctx, o, asked)
	}
}

// covers says whether the flags agree to questions of a kind.
func (f runFlags) covers(kind string) bool {
	return kind == rotation.ConsentProceed && f.yes || slices.Contains(f.accept, kind)
}

// declined says what was not agreed to, and how it can be.
func declined(asked rotation.Question) error {
	flag := "--yes"
	if asked.Kind != rotation.ConsentProceed {
		flag = "--accept=" + asked.Kind
	}
	return rotation.WithHint(fmt.Errorf("%s: %w", asked.Text, rotation.ErrConsent), "agree with "+flag)
}

// ask puts a question to somebody at the terminal. Only a yes agrees: a y, or a 1 where the choices are numbered.
func (g *global) ask(ctx context.Context, o *opened, asked rotation.Question) error {
	g.say("\n%s", g.header(o))
	prompt, yes := "Go on? [y/N] ", []string{"y", "yes"}
	if _, plain := g.Env("ACCESSIBLE"); plain {
		prompt, yes = "1: go on\n2: leave it where it is\nYour choice: ", []string{"1"}
	}
	fmt.Fprintf(g.Err, "%s: %s\n%s", asked.Step, asked.Text, prompt)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(g.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answer:
		if slices.Contains(yes, a) {
			return nil
		}
		return declined(asked)
	}
}
