package redisacl

import (
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// passwords are where the images of Redis and Valkey that people run are given the password of the user default.
// Sources: the documentation of Bitnami's images and of redis-cli.
var passwords = []string{"REDIS_PASSWORD", "VALKEY_PASSWORD", "REDISCLI_AUTH", "VALKEYCLI_AUTH"}

// PasswordIn is the password of the user default as the variables of the server's container say it.
// lookup gives one of them by its name.
func PasswordIn(lookup func(name string) (rotation.Secret, bool, error)) (rotation.Secret, bool, error) {
	for _, name := range passwords {
		if value, found, err := lookup(name); err != nil || found {
			return value, found, err
		}
	}
	return rotation.Secret{}, false, nil
}

// Directive is the value of a line of redis.conf; empty where there is none.
func Directive(file rotation.Secret, name string) rotation.Secret {
	for line := range strings.SplitSeq(string(file.Reveal()), "\n") {
		words := strings.Fields(line)
		if len(words) == 2 && strings.EqualFold(words[0], name) {
			return rotation.NewSecret([]byte(strings.Trim(words[1], `"'`)))
		}
	}
	return rotation.Secret{}
}
