package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// maxName is how many bytes PostgreSQL keeps of a name (NAMEDATALEN - 1). It cuts longer ones with only a notice.
const maxName = 63

// checkName refuses what PostgreSQL could not hold as the name of a role or a database as it stands.
func checkName(kind, name string) error {
	switch {
	case name == "":
		return rotation.Refuse(fmt.Errorf("the name of the %s is empty", kind))
	case len(name) > maxName:
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s %q has %d bytes: PostgreSQL would cut it to %d", kind, name, len(name), maxName),
			"use a shorter name"))
	case strings.ContainsRune(name, 0):
		return rotation.Refuse(errors.New("the name of the " + kind + " holds a zero byte"))
	}
	return nil
}

// ident quotes a name that checkName lets pass, or that the server gave, as format('%I') does: always in quotes,
// which is right for every name.
func ident(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// literal quotes a text as format('%L') does, whatever standard_conforming_strings says.
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
