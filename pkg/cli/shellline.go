package cli

import (
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// shellLine prints a command about a target, for people to paste: for somebody who uses the clients' kubeconfig and the same targets
// file. Names that no configuration can have get no command: a record is written by whoever may write Secrets in its namespace.
type shellLine struct {
	clients   *kube.Clients
	target    config.Target
	namespace string
	file      string // the targets file; "" where none was named
}

// goOn goes on with the target: with its rotation, or with the way back.
func (l shellLine) goOn(back, compromised bool) string {
	words := []string{string(l.target.Kind)}
	switch {
	case back:
		words = []string{"abort", l.target.Name}
	case l.target.Name != string(l.target.Kind):
		words = append(words, l.target.Name)
	}
	if compromised {
		return l.rotate(words, "--compromised")
	}
	return l.rotate(words)
}

// rotate is `kubectl rotate` with words, with what makes it about the same target, and with flags.
func (l shellLine) rotate(words []string, flags ...string) string {
	if !config.ValidName(l.target.Name) || !config.ValidName(l.namespace) || !wiring.HasEngine(l.target.Kind) {
		return ""
	}
	words = slices.Concat([]string{"kubectl", "rotate"}, words)
	if l.clients.Context != "in-cluster" {
		words = append(words, "--context", l.clients.Context)
	}
	words = append(append(words, "-n", l.namespace), flags...)
	if l.file != "" {
		words = append(words, "--config", l.file)
	}
	return rotation.Command(words...)
}

// shellLineOf prints commands about o.
func shellLineOf(o *wiring.Opened) shellLine {
	return shellLine{o.Clients, o.Config, o.Clients.Namespace, o.File}
}

// command is the line that goes on with what o is at.
func command(o *wiring.Opened, i rotation.Intent) string {
	return shellLineOf(o).goOn(i.Back, i.Compromised)
}

// undo is the line that takes a run back; "" where there is no way back.
func undo(o *wiring.Opened, r rotation.Result) string {
	if r.Intent.Back || r.Intent.Compromised || r.Outcome == rotation.Finished {
		return ""
	}
	return shellLineOf(o).goOn(true, false)
}

// advised is a text with a command for it, where there is one.
func advised(what, command string) string {
	if command == "" {
		return ""
	}
	return ": " + what + " `" + command + "`"
}
