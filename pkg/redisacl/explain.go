package redisacl

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// said is what the server answered instead. Hashes are left out of it.
type said struct{ code, text string }

func (e *said) Error() string { return e.text }

func (e *said) Unwrap() error {
	for _, passing := range []string{"LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN"} {
		if e.code == passing {
			return rotation.ErrUnavailable
		}
	}
	if full(e) {
		return rotation.ErrUnavailable
	}
	return nil
}

// full says whether a server has no room for one more connection.
func full(err error) bool { return strings.Contains(err.Error(), "max number of clients") }

var hexadecimal = regexp.MustCompile(`[0-9a-fA-F]{32,}`)

// explain turns an error of go-redis into one of ours, with none of what was sent in it.
func explain(err error) error {
	var answer redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer):
		text := hexadecimal.ReplaceAllString(answer.Error(), rotation.Redacted)
		code, _, _ := strings.Cut(text, " ")
		return &said{code: code, text: text}
	case errors.Is(err, rotation.ErrUnavailable), errors.Is(err, rotation.ErrRefused), errors.Is(err, errStranger):
		return err
	}
	return cmp.Or(section.Untrusted(err), serverconn.Network(err), serverconn.Unavailable(err))
}

// code is the first word of what the server said; "" when it said nothing.
func code(err error) string {
	var answer *said
	if errors.As(err, &answer) {
		return answer.code
	}
	return ""
}

// refusal says whether a login was turned away for its password.
func refusal(err error) bool { return code(err) == "WRONGPASS" || code(err) == "NOAUTH" }

// admission adds to an error met by the admin at its login what to do about it.
func (s *Server) admission(err error) error {
	switch {
	case code(err) == "WRONGPASS":
		return rotation.WithHint(err, fmt.Sprintf("the administrator's password was refused: check where the one of %q comes from", s.admin()))
	case code(err) == "NOAUTH":
		return rotation.WithHint(err, "the server wants a password of the administrator: name the Secret that holds it (redis.admin.secret)")
	case code(err) == "DENIED":
		return rotation.WithHint(err, "protected mode lets nobody in from elsewhere without a password: set one")
	case full(err):
		return rotation.WithHint(err, "end the connections of whoever holds them: by a NetworkPolicy, by ending the pods, or by restarting the node")
	case errors.Is(err, syscall.ECONNREFUSED):
		return rotation.WithHint(err, "check that the server runs and on which port it listens")
	case errors.Is(err, errStranger):
		return rotation.WithHint(err, "check the host and the port")
	}
	return s.grant(err)
}

// grant names the rules that the admin is missing, where that is the trouble and nobody has said so yet.
func (s *Server) grant(err error) error {
	if code(err) == "NOPERM" && rotation.Hint(err) == "" {
		return rotation.WithHint(err, fmt.Sprintf("ACL SETUSER %s %s", s.admin(), strings.Join(rights, " ")))
	}
	return err
}

// rights are what the admin needs.
var rights = []string{
	"+acl", "+client|list", "+client|kill", "+client|setname", "+config|get", "+config|rewrite", "+info", "+time", "+cluster|nodes",
}

// wrap says what was being done, and keeps nil nil.
var wrap = serverconn.Wrap
