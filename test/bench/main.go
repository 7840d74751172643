// Command bench measures a rotation beside what it is made of, on a platform of its own in the test cluster: side by
// side, in one run, in pairs whose order changes. It prints each figure with its bound, and exits with 1 where one is missed.
//
//	go run ./test/bench --kubeconfig .cluster/kubeconfig --kubectl .cluster/bin/kubectl
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// bench is one run of all measurements.
type bench struct {
	kubeconfig, kubectl, plugin, namespace, via string
	pairs                                       int
	subject

	config   *rest.Config
	kube     kubernetes.Interface
	platform *deploy.Platform
}

func main() {
	var b bench
	flag.StringVar(&b.kubeconfig, "kubeconfig", "", "the cluster's kubeconfig")
	flag.StringVar(&b.kubectl, "kubectl", ".cluster/bin/kubectl", "the kubectl to compare with")
	flag.StringVar(&b.plugin, "plugin", "bin/kubectl-rotate", "the program to measure")
	flag.StringVar(&b.namespace, "namespace", "", "where the platform is put, and removed again; bench-TARGET by default")
	target := flag.String("target", "postgres", "what is rotated: "+strings.Join(slices.Sorted(maps.Keys(subjects)), ", "))
	flag.StringVar(&b.via, "via", "", "the way to the server; the program's own default where it is not given")
	flag.IntVar(&b.pairs, "pairs", 8, "how many pairs of a rotation and a restart; even, so that each begins as often as the other")
	flag.Parse()
	known := false
	if b.subject, known = subjects[*target]; !known {
		fmt.Fprintf(os.Stderr, "bench: --target %q: want one of %v\n", *target, slices.Sorted(maps.Keys(subjects)))
		os.Exit(2)
	}
	b.namespace = cmp.Or(b.namespace, "bench-"+*target)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

var errMissed = errors.New("a bound was missed")

func (b *bench) run(ctx context.Context) (err error) {
	if err := b.open(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, b.kube.CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), b.namespace, metav1.DeleteOptions{}))
	}()
	var all []line
	measures := []func(context.Context) ([]line, error){b.rotations, b.requests}
	if b.first {
		measures = append(measures, b.startUp)
	}
	for _, measure := range measures {
		lines, err := measure(ctx)
		if err != nil {
			return err
		}
		all = append(all, lines...)
	}
	if !printed(os.Stdout, all) {
		return errMissed
	}
	return nil
}

func (b *bench) open(ctx context.Context) (err error) {
	if b.config, err = clientcmd.BuildConfigFromFlags("", b.kubeconfig); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	b.config.QPS, b.config.Burst = 100, 200
	if b.kube, err = kubernetes.NewForConfig(b.config); err != nil {
		return err
	}
	b.platform, err = deploy.Deploy(ctx, b.config, b.namespace, b.platformed)
	return err
}
