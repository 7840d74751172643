package wiring

import (
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// about is what the record of a target says of it.
func about(t config.Target) ledger.About {
	return ledger.About{Name: t.Name, Kind: string(t.Kind), Owner: t.Owner, Interval: t.Interval.Duration, Soak: t.Soak.Duration}
}

// HasEngine says whether there is one for targets of a kind.
func HasEngine(kind config.Kind) bool {
	return slices.ContainsFunc(Engines(), func(e Engine) bool { return e.Kind == kind })
}

// StoreOf is the record of a target, without what a rotation needs besides.
func StoreOf(clients *kube.Clients, t config.Target, namespace string) rotation.Store {
	return EngineOf(t.Kind).store(opening{clients: clients, target: t, namespace: namespace})
}
