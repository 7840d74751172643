package cli

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// dying is a process of this test that ends badly, where there is something to be seen of that.
var dying func() int

func TestMain(m *testing.M) {
	main := func() { os.Exit(Main(os.Args)) }
	if dying != nil && os.Getenv("DYING") != "" {
		os.Exit(dying())
	}
	testscript.Main(m, map[string]func(){"kubectl-rotate": main, CompletionName: main})
}

// TestJourneys are what a user types where no cluster is needed; with one, see test/e2e.
func TestJourneys(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}

// exits runs a command and wants it to end with a code: exits 4 kubectl-rotate …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG …]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var ended *exec.ExitError
	got := 0
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
