package postgres

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Auth is the weakest method by which a password is sent, in the words of libpq's require_auth. Whoever answers at the server's address
// chooses the method, and may be somebody else.
type Auth string

// The methods, each with those before it.
const (
	// AuthSCRAM is a proof of the password from which nobody can guess one that was generated.
	AuthSCRAM Auth = "scram-sha-256"
	// AuthMD5 is a hash of the password, with which whoever has heard it can try passwords.
	AuthMD5 Auth = "md5"
	// AuthPassword is clear text, as servers want it that check passwords elsewhere (LDAP, PAM). It is only used where the server's
	// certificate is verified.
	AuthPassword Auth = "password"
)

// methods are those by which a password may be sent over connections that are secured like t.
func (a Auth) methods(t TLS) string {
	switch {
	case a == AuthPassword && verifies(t):
		return "scram-sha-256,md5,password"
	case a == AuthPassword, a == AuthMD5:
		return "scram-sha-256,md5"
	}
	return "scram-sha-256"
}

// allows says whether a password may be sent by a method.
func (a Auth) allows(method string, t TLS) bool {
	return method == "md5" && a != AuthSCRAM && a != "" || method == "password" && a == AuthPassword && verifies(t)
}

func (a Auth) valid() error {
	switch a {
	case "", AuthSCRAM, AuthMD5, AuthPassword:
		return nil
	}
	return fmt.Errorf("method %q is none of scram-sha-256, md5 and password", a)
}

// unwanted is an error of a server that asks for a password by another method than those that are allowed; "none" is one that asks
// for nothing.
type unwanted struct{ method string }

func (u unwanted) Error() string {
	switch u.method {
	case "none":
		return "the server lets everybody in without a password"
	case "password":
		return "the server asks for the password in clear text"
	}
	return "the server asks for the password by " + u.method
}

var (
	requested    = regexp.MustCompile(`server requested (\S+) authentication`)
	unchallenged = regexp.MustCompile(`server did not complete authentication`)
)

// unwantedIn is what an error of the driver says about that; nil for another error.
func unwantedIn(err error) error {
	switch found := requested.FindStringSubmatch(err.Error()); {
	case found != nil:
		return unwanted{found[1]}
	case unchallenged.MatchString(err.Error()):
		return unwanted{"none"}
	}
	return nil
}

// asks is the method by which a server that has refused to do otherwise wants a password; "" for another error.
func asks(err error) string {
	var u unwanted
	if errors.As(err, &u) {
		return u.method
	}
	return ""
}

// lacks says whether the admin was refused for want of a password that is known.
func (a Admin) lacks(err error) bool {
	return a.Password.Empty() && (asks(err) != "" || code(err) == codeWrongPassword || code(err) == codeNotAuthorized)
}

// authHint is what to do about a server that wants the admin's password by a method by which it is not sent.
func (a Admin) authHint(err error) string {
	switch method := asks(err); {
	case method == "":
		return ""
	case a.Password.Empty():
		return "name the Secret that holds the admin's password (postgres.admin.secret)"
	case method == "md5":
		return fmt.Sprintf("store the password of %s as SCRAM (SET password_encryption = 'scram-sha-256', then set it again), or allow MD5 in the configuration (postgres.auth: md5)", a.User)
	case method == "password":
		return "have pg_hba.conf ask for scram-sha-256; where passwords are checked elsewhere (LDAP, PAM), allow clear text in the configuration (postgres.auth: password, with sslmode verify-full)"
	}
	return "have pg_hba.conf ask for scram-sha-256"
}

// withheld judges a login whose password the server asks for by a method by which it is not sent. MD5 is asked for where the catalogue
// decides; where clear text is, something else may.
func (a attempt) withheld(method string) verdict {
	v := a.stored(unwanted{method}.Error() + ", which is not allowed (postgres.auth)")
	if method != "md5" && v.status == rotation.Accepts {
		v.status = rotation.Unproven
	}
	return v
}
