package run

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	out, err := Program{Args: []string{"sh", "-c", "cat; pwd"}, Stdin: strings.NewReader("in\n"), Dir: "/"}.Output(context.Background())
	if err != nil || out != "in\n/\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestFailureQuotesTheLastLines(t *testing.T) {
	_, err := Program{Args: []string{"sh", "-c", "seq 100 >&2; exit 3"}}.Output(context.Background())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "running sh: ") || !strings.Contains(text, "89\n") || strings.Contains(text, "88\n") {
		t.Errorf("got %q", text)
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	err := Program{Args: []string{"no-such-program"}}.Quiet(context.Background())
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("got %v", err)
	}
}

// What the caller has in the environment must not reach the cluster's programs.
func TestEnvironmentIsOfOurMaking(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.example:3128")
	out, err := Program{Args: []string{"env"}}.Output(context.Background())
	if err != nil || strings.Contains(out, "proxy") || !strings.Contains(out, "PATH=") {
		t.Errorf("got %q, %v", out, err)
	}
	out, err = Program{Args: []string{"env"}, Env: Downloading("MORE=1")}.Output(context.Background())
	if err != nil || !strings.Contains(out, "proxy.example") || !strings.Contains(out, "MORE=1") {
		t.Errorf("a download gets %q, %v", out, err)
	}
}
