package postgres

import (
	"context"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

// On the installed server as its superuser, on later ones without.
func TestServerContract(t *testing.T) {
	onVersions(t, later, func(t *testing.T, version string) {
		rotationtest.Server(t, func(t *testing.T) rotationtest.ServerFixture {
			a := appOn(t, version)
			if version != "" {
				a.limited()
			}
			return a.contract()
		})
	})
}

// contract is the fixture of rotationtest.Server.
func (a *app) contract() rotationtest.ServerFixture {
	return rotationtest.ServerFixture{
		Server:  a.server,
		Current: a.current,
		Open: func(_ *testing.T, c rotation.Credential) (func(), error) {
			conn, err := a.open(c)
			return func() { _ = conn.Close(context.Background()) }, err
		},
	}
}
