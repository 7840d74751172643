package config

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// kind is what the file may say about the targets of one kind.
type kind struct {
	// defaults is what such a target is where the file says nothing else. The file is read over it.
	defaults func() Target
	// settle adds the defaults that depend on what the file says.
	settle func(Target) Target
	// validate looks at what only this kind has.
	validate func(Target, *field.Path) field.ErrorList
}

// kinds are all kinds of targets there are.
func kinds() map[Kind]kind {
	return map[Kind]kind{
		KindPostgres: {defaultPostgres, settlePostgres, validatePostgres},
		KindJWT:      {defaultJWT, settleJWT, validateJWT},
		KindRedis:    {defaultRedis, settleRedis, validateRedis},
	}
}

func kindNames() []Kind { return slices.Sorted(maps.Keys(kinds())) }
