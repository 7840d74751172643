package postgres

import "github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"

// Strategy is how the next version of a login comes about.
type Strategy string

// The strategies.
const (
	// Alternate makes logins that are members of one owner role and act as it. It is the one to choose wherever it can be.
	Alternate Strategy = "alternate"
	// Clone makes logins with copies of what the one before was granted, for those that cannot adopt an owner role.
	Clone Strategy = "clone"
	// SameUser keeps the login and changes its password: see [SingleLogin].
	SameUser Strategy = "same-user"
)

// MetaStrategy is, in [rotation.Credential.Meta], the strategy that a credential was generated with, where that is not
// Alternate.
const MetaStrategy = "strategy"

// StrategyOf is the strategy that c was generated with; "" where that was Alternate, or c was found in use.
func StrategyOf(c rotation.Credential) Strategy { return Strategy(c.Meta[MetaStrategy]) }
