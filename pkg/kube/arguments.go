package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Argument gives what follows an option on the container's command line, as --requirepass VALUE or --requirepass=VALUE, with
// references to variables resolved; false where it is not there.
func (e *Environment) Argument(ctx context.Context, option string) (Variable, bool, error) {
	words := slices.Concat(e.container.Command, e.container.Args)
	for i, word := range words {
		value, ok := strings.CutPrefix(word, option+"=")
		if word == option && i+1 < len(words) {
			value, ok = words[i+1], true
		}
		if !ok {
			continue
		}
		v, err := e.resolved(ctx, value)
		return v, err == nil, err
	}
	return Variable{}, false, nil
}

// resolved is a word of the command line.
func (e *Environment) resolved(ctx context.Context, word string) (v Variable, err error) {
	text := expand(word, func(name string) (string, bool) {
		variable, found, lookup := e.variable(ctx, name, len(e.container.Env))
		if lookup != nil {
			err = lookup
		}
		return string(variable.Value.Reveal()), found
	})
	return Variable{
		Value:  rotation.NewSecret([]byte(text)),
		Source: fmt.Sprintf("the command line of container %s in pod %s/%s", e.container.Name, e.pod.Namespace, e.pod.Name),
	}, err
}

// ConfigFile gives the first argument of the container that is the path of a file with that ending, as far as it is a key of a Secret
// or ConfigMap in a volume; false where there is none, or it is none of those.
func (e *Environment) ConfigFile(ctx context.Context, ending string) (Variable, bool) {
	for _, word := range slices.Concat(e.container.Command, e.container.Args) {
		if strings.HasPrefix(word, "/") && strings.HasSuffix(word, ending) {
			v, err := e.file(ctx, word)
			return v, err == nil
		}
	}
	return Variable{}, false
}
