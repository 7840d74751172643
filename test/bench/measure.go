package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// The bounds.
const (
	mostTimes   = 1.15 // of a bare restart
	mostMore    = 1.5  // seconds more than a bare restart, for each of them
	mostStartUp = 1.0  // times that of kubectl
	mostMemory  = 80.0 // MB
)

const starts = 21

// cost is what running a program to its end took.
type cost struct {
	time   time.Duration
	memory float64 // the most that was resident at once, in MB
}

func (b *bench) timed(ctx context.Context, program string, args ...string) (cost, error) {
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), "KUBECONFIG="+b.kubeconfig)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	began := time.Now()
	if err := c.Run(); err != nil {
		return cost{}, fmt.Errorf("%s %v: %w\n%s", program, args, err, &said)
	}
	took := time.Since(began)
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{took, float64(usage.Maxrss) * 1024 / 1e6}, nil
}

// startUp compares the two programs at what needs no cluster.
func (b *bench) startUp(ctx context.Context) ([]line, error) {
	var ours, theirs []time.Duration
	var ratios []float64
	for range starts {
		mine, err := b.timed(ctx, b.plugin, "version")
		if err != nil {
			return nil, err
		}
		other, err := b.timed(ctx, b.kubectl, "version", "--client")
		if err != nil {
			return nil, err
		}
		ours, theirs = append(ours, mine.time), append(theirs, other.time)
		ratios = append(ratios, mine.time.Seconds()/other.time.Seconds())
	}
	return []line{
		{what: "kubectl-rotate version", figure: spread(ours)},
		{what: "kubectl version --client", figure: spread(theirs)},
		atMost("start-up, over kubectl's", median(ratios), mostStartUp, "%.2f times"),
	}, nil
}

// rotations compares whole rotations with bare restarts, in pairs of which every second begins with the restart.
func (b *bench) rotations(ctx context.Context) ([]line, error) {
	var rotated, restarted []time.Duration
	var ratios, more, memory []float64
	for n := range b.pairs + 1 {
		rotation, restart, err := b.pair(ctx, n%2 == 1)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue // the first finds everything cold
		}
		fmt.Fprintf(os.Stderr, "pair %d of %d: rotation %.2f s, restart %.2f s\n", n, b.pairs, rotation.time.Seconds(), restart.Seconds())
		rotated, restarted = append(rotated, rotation.time), append(restarted, restart)
		ratios = append(ratios, rotation.time.Seconds()/restart.Seconds())
		more = append(more, (rotation.time - restart).Seconds())
		memory = append(memory, rotation.memory)
	}
	return []line{
		{what: "kubectl rotate " + strings.Join(b.args, " "), figure: spread(rotated)},
		{what: fmt.Sprintf("kubectl rollout restart, to the last old pod's exit, %d times and %v", b.restarts, b.waits), figure: spread(restarted)},
		atMost("rotation, over a restart", median(ratios), cmp.Or(b.most, mostTimes), "%.2f times"),
		atMost("rotation, more than a restart", median(more), mostMore*float64(b.restarts), "%.2f s"),
		atMost("memory of a rotation", median(memory), mostMemory, "%.0f MB"),
	}, nil
}

func (b *bench) pair(ctx context.Context, restartFirst bool) (rotation cost, restart time.Duration, err error) {
	if restartFirst {
		if restart, err = b.restartAll(ctx); err != nil {
			return rotation, restart, err
		}
	}
	if rotation, err = b.rotate(ctx, b.kubeconfig); err != nil || restartFirst {
		return rotation, restart, err
	}
	restart, err = b.restartAll(ctx)
	return rotation, restart, err
}

// restartAll is as many restarts as a rotation has rollouts, one after the other, and what it waits for beside them.
func (b *bench) restartAll(ctx context.Context) (all time.Duration, err error) {
	for range b.restarts {
		one, err := b.restart(ctx)
		if err != nil {
			return 0, err
		}
		all += one
	}
	return all + b.waits, nil
}

func (b *bench) rotate(ctx context.Context, kubeconfig string) (cost, error) {
	args, done, err := b.command(kubeconfig)
	if err != nil {
		return cost{}, err
	}
	defer done()
	return b.timed(ctx, b.plugin, args...)
}

// restart is kubectl's, and the wait until the last pod of before is gone.
func (b *bench) restart(ctx context.Context) (time.Duration, error) {
	old, err := b.pods(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := b.timed(ctx, b.kubectl, "rollout", "restart", "deployment/backend", "-n", b.namespace); err != nil {
		return 0, err
	}
	watch, err := b.kube.CoreV1().Pods(b.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "app=backend"})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	for {
		now, err := b.pods(ctx)
		if err != nil {
			return 0, err
		}
		if old.Intersection(now).Len() == 0 {
			return time.Since(began), nil
		}
		select {
		case <-watch.ResultChan():
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// pods are the backend's, the terminating ones too.
func (b *bench) pods(ctx context.Context) (sets.Set[types.UID], error) {
	list, err := b.kube.CoreV1().Pods(b.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=backend"})
	if err != nil {
		return nil, err
	}
	found := sets.New[types.UID]()
	for _, p := range list.Items {
		found.Insert(p.UID)
	}
	return found, nil
}
