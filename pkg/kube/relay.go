package kube

import (
	_ "embed"
	"strconv"
	"strings"
)

//go:embed relay.sh
var relayScript string

const (
	// greeting starts the one line that the relay prints before the server's bytes.
	greeting = "kubectl-rotate relay: "
	// longestGreeting bounds it, its newline included.
	longestGreeting = 64
	// noRelay is the relay's exit code where no program was found (EX_UNAVAILABLE of sysexits.h).
	noRelay = 69
)

// relayCommand is what is run in the container to reach t.
func relayCommand(t target) []string {
	network, host, port := "tcp", "127.0.0.1", strconv.Itoa(int(t.port))
	if t.unix() {
		network, host, port = "unix", t.socket, ""
	}
	return []string{"sh", "-c", bare(relayScript), "kubectl-rotate", network, host, port}
}

// bare takes out what only a reader needs: lines of comment, and the indentation except Python's.
func bare(script string) string {
	var b strings.Builder
	python := false
	for line := range strings.Lines(script) {
		trimmed := strings.TrimLeft(line, " \t")
		switch {
		case strings.HasPrefix(trimmed, "#") || strings.TrimSpace(line) == "":
			continue
		case python:
			b.WriteString(line)
		default:
			b.WriteString(trimmed)
		}
		python = strings.Contains(line, "python3 -c '") || python && !strings.HasPrefix(line, "'")
	}
	return b.String()
}
