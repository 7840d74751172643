package postgres

import "github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"

// superusers are where the images of PostgreSQL that people run are given the superuser's password: the variable of the
// password, and that of the login it belongs to; "" is postgres. The first that is there counts.
// Sources: the documentation of the official image and of Bitnami's.
var superusers = []struct{ password, user string }{
	{"POSTGRESQL_POSTGRES_PASSWORD", ""},
	{"POSTGRES_POSTGRES_PASSWORD", ""},
	{"POSTGRES_PASSWORD", "POSTGRES_USER"},
	{"POSTGRESQL_PASSWORD", "POSTGRESQL_USERNAME"},
}

// FromEnvironment has a be the superuser that the variables of the server's container say. lookup gives
// one of them by its name. Where none says a password, a stays as it is.
func (a *Admin) FromEnvironment(lookup func(name string) (rotation.Secret, bool, error)) error {
	for _, one := range superusers {
		password, found, err := lookup(one.password)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		a.Password = password
		if user, found, err := lookup(one.user); err == nil && found {
			a.User = string(user.Reveal())
		}
		return nil
	}
	return nil
}
