package postgres

import (
	"context"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

func TestServerContract(t *testing.T) {
	rotationtest.Server(t, func(t *testing.T) rotationtest.ServerFixture {
		a := newApp(t)
		return rotationtest.ServerFixture{
			Server:  a.server,
			Current: a.current,
			Open: func(_ *testing.T, c rotation.Credential) (func(), error) {
				conn, err := a.open(c)
				return func() { _ = conn.Close(context.Background()) }, err
			},
		}
	})
}
