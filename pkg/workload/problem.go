package workload

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	// patience is how long a pod may take over making its containers, or a container over becoming ready, before it is
	// said to be a problem.
	patience = 20 * time.Second
	// rolloutDeadline is how long a pod may have a problem before the rollout counts as failed where the
	// controller has no deadline; it is what a Deployment has by default.
	rolloutDeadline = 10 * time.Minute
	// longest is how much of a message is shown, in characters.
	longest = 240
	// mostBlamed is how many pods a failed rollout names.
	mostBlamed = 3
)

// crash is one end of one container, or one that runs and does not serve.
type crash struct {
	pod       types.UID
	name      string
	container string
	restarts  int32
	previous  bool // another run of the container has begun since
}

// problem is why p is not ready, in a line; "" while it is only starting.
func (m moment) problem(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + ": " + oneLine(c.Message)
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if text := m.containerProblem(p, s); text != "" {
			return text
		}
	}
	if m.now.Sub(p.CreationTimestamp.Time) > patience && !slices.ContainsFunc(p.Status.ContainerStatuses, isRunning) {
		return "ContainerCreating for " + duration.HumanDuration(m.now.Sub(p.CreationTimestamp.Time))
	}
	return ""
}

func isRunning(s corev1.ContainerStatus) bool { return s.State.Running != nil }

// containerProblem is why one container does not run, or does not serve.
func (m moment) containerProblem(p *corev1.Pod, s corev1.ContainerStatus) string {
	if end, crashed := crashOf(p, s); crashed {
		return fmt.Sprintf("%s: %s%s", crashReason(s), exit(s), m.lastWords(end))
	}
	switch {
	case s.State.Waiting != nil && !slices.Contains([]string{"", "ContainerCreating", "PodInitializing"}, s.State.Waiting.Reason):
		return s.State.Waiting.Reason + ": " + oneLine(s.State.Waiting.Message)
	case idle(s, m.now) && slices.ContainsFunc(p.Status.ContainerStatuses, isRunning):
		since := s.State.Running.StartedAt.UTC().Format(time.TimeOnly)
		return fmt.Sprintf("container %s runs since %s and does not become ready%s", s.Name, since, m.lastWords(unserving(p, s)))
	}
	return ""
}

// unserving is a container that has not ended: its words are those of the run it is in.
func unserving(p *corev1.Pod, s corev1.ContainerStatus) crash {
	return crash{p.UID, p.Name, s.Name, s.RestartCount, false}
}

// idle says whether a container has run for some time and does not serve.
func idle(s corev1.ContainerStatus, now time.Time) bool {
	return s.State.Running != nil && !s.Ready && now.Sub(s.State.Running.StartedAt.Time) > patience
}

// crashOf says whether container s has ended where it should not have, last time or for good.
func crashOf(p *corev1.Pod, s corev1.ContainerStatus) (crash, bool) {
	c := crash{p.UID, p.Name, s.Name, s.RestartCount, s.State.Terminated == nil}
	if s.Ready {
		return c, false
	}
	end := lastEnd(s)
	return c, end != nil && (end.ExitCode != 0 || s.State.Waiting != nil && s.State.Waiting.Reason == "CrashLoopBackOff")
}

// lastEnd is how the container ended, now or the last time.
func lastEnd(s corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if s.State.Terminated != nil {
		return s.State.Terminated
	}
	return s.LastTerminationState.Terminated
}

func crashReason(s corev1.ContainerStatus) string {
	switch {
	case s.State.Waiting != nil && s.State.Waiting.Reason != "":
		return s.State.Waiting.Reason
	case s.RestartCount > 0:
		return fmt.Sprintf("container %s was started %d times", s.Name, s.RestartCount+1)
	}
	return "container " + s.Name + " has ended"
}

func exit(s corev1.ContainerStatus) string {
	end := lastEnd(s)
	if end.Reason == "OOMKilled" {
		return "out of memory"
	}
	return fmt.Sprintf("exit code %d", end.ExitCode)
}

func (m moment) lastWords(c crash) string {
	if text := m.words[c]; text != "" {
		return ": " + rotation.Said(text)
	}
	return ""
}

// oneLine makes text from elsewhere fit to be shown: one line, no control characters, not too long.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// blame is why a rollout can't go on, with the pods in its way.
func blame(verdict string, pods []rotation.Pod) string {
	named := 0
	for _, p := range pods {
		if p.Problem == "" {
			continue
		}
		if named++; named > mostBlamed {
			return verdict + "; and more"
		}
		verdict += fmt.Sprintf("; pod/%s: %s", p.Name, p.Problem)
	}
	return verdict
}
