package workload

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// mostAsked is how many pods' logs, and how many nodes, one look asks for: the rest have to do with their status.
	mostAsked = 8
	// The last lines of a log that are shown, and how much of it is read for them, in bytes.
	logLines = 3
	logBytes = 2048
)

// nodesDown are those of the pods' nodes that have stopped reporting, or that are no more. Only nodes of pods that are
// not well are asked for; without the permission, which a Role in a namespace can't give, there are none.
func (c *Consumers) nodesDown(ctx context.Context, pods []*corev1.Pod) map[string]bool {
	var names []string
	for _, p := range pods {
		if doubtful(p) && !slices.Contains(names, p.Spec.NodeName) {
			names = append(names, p.Spec.NodeName)
		}
	}
	down := map[string]bool{}
	var mu sync.Mutex
	inParallel(c.unheard(names), func(name string) {
		node, err := c.node(ctx, name)
		switch {
		case apierrors.IsNotFound(err) || err == nil && isSilent(node):
			mu.Lock()
			defer mu.Unlock()
			down[name] = true
		case err == nil:
			c.heard(name)
		}
	})
	return down
}

// fresh is how long it need not be asked again for a node that reports: it takes 40 s and more until one that does not is said to be
// silent, and a rollout is looked at several times a second.
const fresh = 5 * time.Second

// unheard are those of the nodes that have to be asked for.
func (c *Consumers) unheard(names []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(names, func(name string) bool {
		at, known := c.nodes[name]
		return known && time.Since(at) < fresh
	})
}

// heard takes down that a node reports.
func (c *Consumers) heard(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil {
		c.nodes = map[string]time.Time{}
	}
	c.nodes[name] = time.Now()
}

// node reads a node. Once that was forbidden it is not tried again.
func (c *Consumers) node(ctx context.Context, name string) (*corev1.Node, error) {
	c.mu.Lock()
	blind := c.blind
	c.mu.Unlock()
	if blind != nil {
		return nil, blind
	}
	node, err := c.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.blind = err
	}
	return node, err
}

// isSilent says whether a node has stopped reporting. One that reports that it is not ready is not silent.
func isSilent(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown
	})
}

// lastWords are what crashed containers said last, each read once.
func (c *Consumers) lastWords(ctx context.Context, pods []*corev1.Pod) map[crash]string {
	words := map[crash]string{}
	if c.Redact == nil {
		return words
	}
	var unread []crash
	c.mu.Lock()
	for _, end := range crashes(pods, c.now()) {
		text, known := c.words[end]
		if words[end] = text; !known {
			unread = append(unread, end)
		}
	}
	c.mu.Unlock()
	var mu sync.Mutex
	inParallel(unread, func(end crash) {
		text, ok := c.read(ctx, end)
		mu.Lock()
		defer mu.Unlock()
		if words[end] = text; ok {
			c.remember(end, text)
		}
	})
	return words
}

// crashes are the ends of containers of pods that are not ready, and the containers that run and do not serve.
func crashes(pods []*corev1.Pod, now time.Time) (ends []crash) {
	for _, p := range pods {
		if isReady(p) || p.DeletionTimestamp != nil {
			continue
		}
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if end, crashed := crashOf(p, s); crashed {
				ends = append(ends, end)
			} else if idle(s, now) {
				ends = append(ends, unserving(p, s))
			}
		}
	}
	return ends
}

// read reads the end of a crashed container's log. ok is false where it may be there another time.
func (c *Consumers) read(ctx context.Context, end crash) (text string, ok bool) {
	lines, size := int64(logLines), int64(logBytes)
	log, err := c.Client.CoreV1().Pods(c.Namespace).GetLogs(end.name, &corev1.PodLogOptions{
		Container: end.container, Previous: end.previous, TailLines: &lines, LimitBytes: &size,
	}).DoRaw(ctx)
	if err != nil {
		return "", !passing(err)
	}
	text = c.Redact(strings.TrimSpace(string(whole(log))))
	return oneLine(strings.ReplaceAll(text, "\n", " | ")), true
}

// whole is a log without the line in which the limit cut it off: half a value would not be known for one.
func whole(log []byte) []byte {
	if len(log) < logBytes {
		return log
	}
	return log[:bytes.LastIndexByte(log, '\n')+1]
}

func (c *Consumers) remember(end crash, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.words == nil {
		c.words = map[crash]string{}
	}
	c.words[end] = text
}

// inParallel calls f for the first of all, at once.
func inParallel[T any](all []T, f func(T)) {
	var running sync.WaitGroup
	for _, x := range all[:min(len(all), mostAsked)] {
		running.Go(func() { f(x) })
	}
	running.Wait()
}
