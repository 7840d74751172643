package deploy

import (
	"context"
	"os"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

// onCluster gives the cluster that KUBECTL_ROTATE_KUBECONFIG names. Without one the tests of this file are skipped.
func onCluster(t *testing.T) *rest.Config {
	t.Helper()
	file := os.Getenv("KUBECTL_ROTATE_KUBECONFIG")
	if file == "" {
		t.Skip("KUBECTL_ROTATE_KUBECONFIG names no kubeconfig")
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// deployed gives a platform in a namespace of its own, which goes with the test.
func deployed(t *testing.T, namespace string) *Platform {
	t.Helper()
	config := onCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	p, err := Deploy(ctx, config, namespace, Options{Progress: func(line string) { t.Log(line) }})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := Remove(ctx, config, namespace, nil); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The floor that every rotation is compared with: a restart of all the pods, five times, under load, costs no request.
func TestRestartUnderLoadLosesNothing(t *testing.T) {
	p := deployed(t, "platform-restart")
	config, err := load.Calibrate(t.Context(), load.Config{URL: p.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("this machine serves %v requests a second", config.Rate)
	run, err := load.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Stop()
	for round := range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		err := p.Restart(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("restart %d: %s", round+1, run.Snapshot().Line())
	}
	s := run.Stop()
	if err := s.Err(); err != nil {
		t.Errorf("%v; %+v", err, s.FirstFailures)
	}
	if pods := len(s.Pods); pods != 18 {
		t.Errorf("%d pods answered, want 18: three, and three more after each restart", pods)
	}
}

func TestDeployingAgainChangesNothing(t *testing.T) {
	p := deployed(t, "platform-again")
	before, err := p.pods(t.Context(), "app in (postgresql, redis, backend)")
	if err != nil {
		t.Fatal(err)
	}
	secrets := secretsOf(t, p)
	deployedAgain, err := Deploy(t.Context(), onCluster(t), p.Namespace, Options{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := deployedAgain.pods(t.Context(), "app in (postgresql, redis, backend)")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, pod := range before {
		names[pod.Name+string(pod.UID)] = true
	}
	for _, pod := range after {
		if !names[pod.Name+string(pod.UID)] {
			t.Errorf("pod %s is new", pod.Name)
		}
	}
	for name, data := range secretsOf(t, p) {
		for key, value := range data {
			if secrets[name][key] != value {
				t.Errorf("secret %s: key %s was made again", name, key)
			}
		}
	}
}
