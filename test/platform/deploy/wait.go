package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	pollEvery   = 250 * time.Millisecond
	answerLimit = 2 * time.Second
)

// part is one workload of the platform as it stands.
type part struct {
	name    string
	settled bool
	note    string
}

// wait returns when all is settled: the newest template everywhere, all ready, and none of the pods before it left.
func (p *Platform) wait(ctx context.Context) error {
	var shown, line string
	err := wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		parts, err := p.look(ctx)
		if err != nil {
			return false, err
		}
		var settled bool
		line, settled = describe(parts)
		if line != shown {
			p.options.Progress(line)
			shown = line
		}
		return settled, nil
	})
	if err == nil {
		return nil
	}
	if wait.Interrupted(err) {
		err = context.Cause(ctx)
	}
	// The context has ended, and the reason is worth one more look.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return fmt.Errorf("waiting for the platform in namespace %s (%s): %w", p.Namespace, line,
		errors.Join(err, p.trouble(last)))
}

func describe(parts []part) (line string, settled bool) {
	settled = true
	notes := make([]string, 0, len(parts))
	for _, part := range parts {
		settled = settled && part.settled
		notes = append(notes, part.name+" "+part.note)
	}
	return strings.Join(notes, ", "), settled
}

func (p *Platform) look(ctx context.Context) ([]part, error) {
	var parts []part
	for _, name := range []string{"postgresql", "redis"} {
		s, err := p.client.AppsV1().StatefulSets(p.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading statefulset %s: %w", name, err)
		}
		parts = append(parts, statefulSet(s))
	}
	d, err := p.client.AppsV1().Deployments(p.Namespace).Get(ctx, "backend", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading deployment backend: %w", err)
	}
	pods, err := p.pods(ctx, "app=backend")
	if err != nil {
		return nil, err
	}
	return append(append(parts, deployment(d, len(pods))), p.address(ctx)), nil
}

// address is settled once the backend's virtual address leads to it from here: a Service is there before the node's
// rules know it.
func (p *Platform) address(ctx context.Context) part {
	at := part{name: "address"}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/health/ready", nil)
	if err != nil {
		at.note = err.Error()
		return at
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(ask)
	if err != nil {
		at.note = fmt.Sprintf("%s does not answer yet", p.URL)
		return at
	}
	_ = answer.Body.Close()
	at.settled, at.note = answer.StatusCode == http.StatusOK, answer.Status
	return at
}

func statefulSet(s *appsv1.StatefulSet) part {
	want := *s.Spec.Replicas
	return part{
		name: s.Name,
		settled: s.Status.ObservedGeneration >= s.Generation && s.Status.ReadyReplicas == want &&
			s.Status.CurrentRevision == s.Status.UpdateRevision,
		note: fmt.Sprintf("%d/%d", s.Status.ReadyReplicas, want),
	}
}

// deployment judges by the pods too: the counts in a Deployment's status leave out those that are ending.
func deployment(d *appsv1.Deployment, pods int) part {
	want, s := *d.Spec.Replicas, d.Status
	old := pods - int(s.UpdatedReplicas)
	if s.ObservedGeneration < d.Generation {
		return part{name: d.Name, note: "not looked at yet"}
	}
	note := fmt.Sprintf("%d/%d", min(s.UpdatedReplicas, s.AvailableReplicas), want)
	if old > 0 {
		note += fmt.Sprintf(" (%d old)", old)
	}
	return part{
		name:    d.Name,
		settled: s.UpdatedReplicas == want && s.AvailableReplicas == want && pods == int(want),
		note:    note,
	}
}

func (p *Platform) pods(ctx context.Context, selector string) ([]corev1.Pod, error) {
	list, err := p.client.CoreV1().Pods(p.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing pods %s: %w", selector, err)
	}
	return list.Items, nil
}

// trouble says of each container that waits or keeps ending, why; nil if there is nothing to say.
func (p *Platform) trouble(ctx context.Context) error {
	pods, err := p.pods(ctx, "app in (postgresql, redis, backend)")
	if err != nil {
		return err
	}
	var all []error
	for _, pod := range pods {
		for _, c := range pod.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil {
				all = append(all, fmt.Errorf("pod %s: %s %s", pod.Name, w.Reason, w.Message))
			} else if !c.Ready {
				all = append(all, fmt.Errorf("pod %s: not ready, restarted %d times: see its log", pod.Name, c.RestartCount))
			}
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				all = append(all, fmt.Errorf("pod %s: %s", pod.Name, c.Message))
			}
		}
	}
	return errors.Join(all...)
}
