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
		case asked.Kind == rotation.ConsentProceed && q.yes, slices.Contains(q.accept, asked.Kind):
			return nil
		case !g.Terminal:
			return declined(asked)
		}
		return g.ask(ctx, o, asked)
	}
}

// declined says what was not agreed to, and how it can be.
func declined(asked rotation.Question) error {
	flag := "--yes"
	if asked.Kind != rotation.ConsentProceed {
		flag = "--accept=" + asked.Kind
	}
	return rotation.WithHint(fmt.Errorf("%s: %w", asked.Text, rotation.ErrConsent), "agree with "+flag)
}

// ask puts a question to somebody at the terminal. Only a y agrees.
func (g *global) ask(ctx context.Context, o *opened, asked rotation.Question) error {
	g.say("\n%s", g.header(o))
	fmt.Fprintf(g.Err, "%s: %s\nGo on? [y/N] ", asked.Step, asked.Text)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(g.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
		return declined(asked)
	}
}
