package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// somewhere is a target that is opened as alice.
func somewhere() *wiring.Opened {
	o := &wiring.Opened{Clients: &kube.Clients{Context: "prod", Server: "https://api.example"}, Namespace: "shop", Operator: "alice"}
	o.Target = "postgres"
	return o
}

func TestOnlyAYesAgrees(t *testing.T) {
	for answer, agrees := range map[string]bool{
		"y\n": true, "YES\n": true, "y": true, "\n": false, "n\n": false, "yeah\n": false, "": false,
	} {
		var screen bytes.Buffer
		g := newGlobal(Streams{In: strings.NewReader(answer), Err: &screen, Terminal: true}.filled())
		asked := rotation.Question{Step: "begin", Kind: rotation.ConsentProceed, Text: "rotate v1 to v2"}
		err := g.consent(somewhere(), request{})(context.Background(), asked)
		if agrees != (err == nil) || !agrees && !errors.Is(err, rotation.ErrConsent) {
			t.Errorf("%q: %v", answer, err)
		}
		for _, want := range []string{"prod", "https://api.example", "shop", "alice", "rotate v1 to v2"} {
			if !strings.Contains(screen.String(), want) {
				t.Errorf("the question does not show %q: %s", want, screen.String())
			}
		}
	}
}

// Where lines are read out aloud, the choices are numbered.
func TestNumberedChoices(t *testing.T) {
	for answer, agrees := range map[string]bool{"1\n": true, "2\n": false, "y\n": false, "": false} {
		var screen bytes.Buffer
		accessible := func(name string) (string, bool) { return "1", name == "ACCESSIBLE" }
		g := newGlobal(Streams{In: strings.NewReader(answer), Err: &screen, Terminal: true, Env: accessible}.filled())
		err := g.consent(somewhere(), request{})(context.Background(), rotation.Question{Kind: rotation.ConsentProceed, Text: "rotate"})
		if agrees != (err == nil) {
			t.Errorf("%q: %v", answer, err)
		}
		if !strings.Contains(screen.String(), "1: go on") || g.screenWanted() {
			t.Errorf("no numbered choices, or a screen: %s", screen.String())
		}
	}
}

func TestFlagsAgreeToWhatTheyCover(t *testing.T) {
	for _, c := range []struct {
		name   string
		flags  runFlags
		kind   string
		agrees bool
	}{
		{"a yes covers a step", runFlags{yes: true}, rotation.ConsentProceed, true},
		{"not what is unproven", runFlags{yes: true}, rotation.ConsentUnproven, false},
		{"nor what is stale", runFlags{yes: true}, rotation.ConsentStale, false},
		{"that wants its own", runFlags{accept: []string{"stale"}}, rotation.ConsentStale, true},
		{"an unproven version settles no other doubt", runFlags{yes: true, accept: []string{"unproven"}}, rotation.ConsentLost, false},
		{"nor that users are not known", runFlags{yes: true, accept: []string{"unproven"}}, rotation.ConsentUsers, false},
		{"and each only its own", runFlags{accept: []string{"stale"}}, rotation.ConsentUnproven, false},
		{"nothing is agreed to by itself", runFlags{}, rotation.ConsentProceed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGlobal(Streams{}.filled())
			err := g.consent(somewhere(), request{runFlags: c.flags})(context.Background(), rotation.Question{Kind: c.kind, Text: "x"})
			if c.agrees != (err == nil) {
				t.Errorf("%v", err)
			}
			if err != nil && rotation.Hint(err) == "" {
				t.Error("nothing says how to agree")
			}
		})
	}
}
