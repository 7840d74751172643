package wiring

import (
	"context"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What an operator agrees to in a run holds for that run, and for no other kind of question.
func TestAgreementsAreOfTheirKind(t *testing.T) {
	a := agreedTo([]string{redisacl.ConsentVolatile})
	agrees := func(_ context.Context, asked rotation.Question) error {
		if asked.Kind == rotation.ConsentUnknownNode {
			return nil
		}
		return rotation.ErrConsent
	}
	for _, kind := range []string{rotation.ConsentUnknownNode, rotation.ConsentOwnership} {
		_ = a.Keeping(agrees)(t.Context(), rotation.Question{Kind: kind})
	}
	for kind, want := range map[string]bool{
		redisacl.ConsentVolatile: true, rotation.ConsentUnknownNode: true, rotation.ConsentOwnership: false, "": false,
	} {
		if got := a.has(kind); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
}
