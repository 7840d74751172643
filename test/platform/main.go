// Command platform puts the runbook's demo platform on a cluster, and loads it.
//
//	go run ./test/platform images
//	go run ./test/platform up --kubeconfig .cluster/kubeconfig
//	go run ./test/platform load --kubeconfig .cluster/kubeconfig --duration 1m
//	go run ./test/platform down --kubeconfig .cluster/kubeconfig
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		os.Exit(load.ExitCode(err))
	}
}

func newCommand() *cobra.Command {
	c := &cobra.Command{
		Use:           "platform",
		Short:         "The demo platform: PostgreSQL, Redis and a backend under the runbook's names",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	where := new(target)
	c.AddCommand(newImages(), newUp(where), newDown(where), newLoad(where))
	return c
}

// target says which cluster and which namespace.
type target struct{ kubeconfig, namespace string }

func (t *target) addTo(c *cobra.Command) {
	c.Flags().StringVar(&t.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)")
	c.Flags().StringVarP(&t.namespace, "namespace", "n", "default", "namespace of the platform")
}

func (t *target) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = t.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 50, 100 // the default of 5 a second is for controllers
	return config, nil
}
