package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// consent answers the questions of a run: by the flags where they cover them, else by asking on the terminal.
func (g *global) consent(o *wiring.Opened, q request) func(context.Context, rotation.Question) error {
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

// declined says what was not agreed to, and how it can be.
func declined(asked rotation.Question) error {
	flag := "--yes"
	if asked.Kind != rotation.ConsentProceed {
		flag = "--accept=" + asked.Kind
	}
	return rotation.WithHint(fmt.Errorf("%s: %w", asked.Text, rotation.ErrConsent), "agree with "+flag)
}

// ask puts a question to somebody at the terminal. Only a yes agrees: a y, or a 1 where the choices are numbered.
func (g *global) ask(ctx context.Context, o *wiring.Opened, asked rotation.Question) error {
	prompt, agrees := []string{"Go on? [y/N]"}, func(answer string) bool { return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes") }
	if _, plain := g.Env("ACCESSIBLE"); plain {
		prompt, agrees = []string{"1: go on", "2: leave it where it is", "Your choice:"}, func(answer string) bool { return answer == "1" }
	}
	if o.Protected != "" && asked.Kind == rotation.ConsentProceed {
		prompt = []string{"This context is protected. Type its name, " + o.Protected + ", to go on:"}
		agrees = func(answer string) bool { return answer == o.Protected }
	}
	answer, err := g.answer(ctx, o, asked, prompt...)
	if err == nil && !agrees(answer) {
		return declined(asked)
	}
	return err
}

// offer asks somebody at the terminal what to do about gates that have failed. Nil: nobody is there, or whoever is has agreed
// beforehand to what is safe, and that is to take it back.
func (g *global) offer(o *wiring.Opened, q request) func(context.Context, rotation.Question) (rotation.Answer, error) {
	if !g.Terminal || q.yes {
		return nil
	}
	return func(ctx context.Context, asked rotation.Question) (rotation.Answer, error) {
		answer, err := g.answer(ctx, o, asked,
			"1: wait a minute, and look again", "2: skip what has failed; who and when is recorded", "3: take it back", "4: leave it where it is", "Your choice:")
		if err != nil {
			return "", err
		}
		choices := map[string]rotation.Answer{"1": rotation.AnswerWait, "2": rotation.AnswerSkip, "3": rotation.AnswerBack}
		if a, ok := choices[answer]; ok {
			return a, nil
		}
		hint := "run it again"
		if back := shellLineOf(o).goOn(true, false); back != "" {
			hint += ", or take it back with `" + back + "`"
		}
		return "", rotation.WithHint(fmt.Errorf("%s: %w", asked.Text, rotation.ErrConsent), hint)
	}
}

// answer puts a question to somebody at the terminal and reads a line. The last line of the prompt stands before the answer.
func (g *global) answer(ctx context.Context, o *wiring.Opened, asked rotation.Question, prompt ...string) (string, error) {
	g.say("\n%s", g.header(o))
	g.say("%s: %s", asked.Step, asked.Text)
	for _, line := range prompt[:len(prompt)-1] {
		g.say("%s", line)
	}
	_ = g.Err.Printf("%s ", prompt[len(prompt)-1])
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(g.In).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-answer:
		return a, nil
	}
}
