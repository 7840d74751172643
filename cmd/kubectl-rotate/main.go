// Command kubectl-rotate is the kubectl plugin behind `kubectl rotate`.
package main

import (
	"os"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
