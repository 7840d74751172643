package workload

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) metav1.Time { return metav1.NewTime(start.Add(d)) }

func running(name string, since time.Duration) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(since)}}}
}

func ended0(name string, since time.Duration, code int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: after(since)}}}
}

func waiting(name, reason, message string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

// newPod is a ready pod whose container app reads the Secret, beside one that does not, with changes made.
func newPod(changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "backend-1", UID: "1", CreationTimestamp: after(0), Labels: map[string]string{Label(secret): "3"}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyAlways, NodeName: "node-0",
			Containers: []corev1.Container{{Name: "app", EnvFrom: envFrom(secret)}, {Name: "sidecar"}},
		},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			PodIPs:            []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}},
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{running("app", time.Second), running("sidecar", time.Hour)},
		},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func notReady(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func terminating(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { at := after(since); p.DeletionTimestamp = &at }
}

func statuses(all ...corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = all }
}

func TestPod(t *testing.T) {
	got := moment{secrets: []string{secret}, label: Label(secret), now: start}.pod(newPod())
	want := rotation.Pod{
		Name: "backend-1", Edition: 3, Created: start, Started: []time.Time{start.Add(time.Second)},
		Addresses: []string{"10.0.0.1", "fd00::1"}, Ready: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	onHost := moment{secrets: []string{secret}, label: Label(secret)}.pod(newPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	if onHost.Addresses != nil {
		t.Errorf("on the host's network its addresses are %v, want none", onHost.Addresses)
	}
}

func TestStarted(t *testing.T) {
	one := []time.Time{start.Add(time.Second)}
	always, never := corev1.ContainerRestartPolicyAlways, corev1.RestartPolicyNever
	initReads := func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "init", EnvFrom: envFrom(secret)}}
		p.Spec.Containers[0].EnvFrom = nil
	}
	initStatus := func(s corev1.ContainerStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.InitContainerStatuses = []corev1.ContainerStatus{s} }
	}
	for _, c := range []struct {
		name string
		pod  *corev1.Pod
		want []time.Time
	}{
		{"running; the sidecar does not read it", newPod(), one},
		{"nothing reported yet", newPod(statuses()), nil},
		{"waiting", newPod(statuses(waiting("app", "CrashLoopBackOff", ""), running("sidecar", 0))), nil},
		{"ended, and about to start again", newPod(statuses(ended0("app", time.Second, 0))), nil},
		{"ended with its pod", newPod(statuses(ended0("app", time.Second, 0)), terminating(time.Minute)), one},
		{"ended for good", newPod(statuses(ended0("app", time.Second, 1)), func(p *corev1.Pod) { p.Spec.RestartPolicy = never }), one},
		{"failed, and tried again", newPod(statuses(ended0("app", time.Second, 1)), func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }), nil},
		{"an init container that is done", newPod(initReads, initStatus(ended0("init", time.Second, 0))), one},
		{"an init container that failed", newPod(initReads, initStatus(ended0("init", time.Second, 1))), nil},
		{"an init container that goes on as a sidecar", newPod(initReads, func(p *corev1.Pod) { p.Spec.InitContainers[0].RestartPolicy = &always }, initStatus(running("init", time.Second))), one},
		{"a sidecar that ended", newPod(initReads, func(p *corev1.Pod) { p.Spec.InitContainers[0].RestartPolicy = &always }, initStatus(ended0("init", time.Second, 0))), nil},
		{"only the kubelet reads it: all containers count", newPod(func(p *corev1.Pod) {
			p.Spec.Containers[0].EnvFrom = nil
			p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
		}), []time.Time{start.Add(time.Second), start.Add(time.Hour)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, moment{secrets: []string{secret}, label: Label(secret)}.pod(c.pod).Started); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLive(t *testing.T) {
	phase := func(phase corev1.PodPhase) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Status.Phase = phase } }
	for _, c := range []struct {
		name string
		pod  *corev1.Pod
		want bool
	}{
		{"running", newPod(), true},
		{"pending", newPod(phase(corev1.PodPending), statuses()), true},
		{"done", newPod(phase(corev1.PodSucceeded)), false},
		{"failed", newPod(phase(corev1.PodFailed)), false},
		{"unknown", newPod(phase(corev1.PodUnknown)), true},
		{"terminating", newPod(terminating(0)), true},
		{"terminating, one container has ended", newPod(terminating(0), statuses(ended0("app", 0, 0), running("sidecar", 0))), true},
		{"terminating, all have ended: a finalizer holds it", newPod(terminating(0), statuses(ended0("app", 0, 0), ended0("sidecar", 0, 0))), false},
		{"terminating before anything was reported", newPod(terminating(0), statuses()), true},
	} {
		if got := isLive(c.pod); got != c.want {
			t.Errorf("%s: live is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		name string
		now  time.Duration
		down map[string]bool
		pod  *corev1.Pod
		want bool
	}{
		{"running", time.Hour, nil, newPod(), false},
		{"terminating", time.Minute, nil, newPod(terminating(30 * time.Second)), false},
		{"long past its end", 2 * time.Minute, nil, newPod(terminating(30 * time.Second)), true},
		{"long past its end, and never on a node", 2 * time.Minute, nil, newPod(terminating(0), func(p *corev1.Pod) { p.Spec.NodeName = "" }), false},
		{"its node is down", 0, map[string]bool{"node-0": true}, newPod(), true},
		{"another node is down", 0, map[string]bool{"node-1": true}, newPod(), false},
		{"as former versions said it", 0, nil, newPod(func(p *corev1.Pod) { p.Status.Reason = "NodeLost" }), true},
	} {
		m := moment{secrets: []string{secret}, label: Label(secret), now: start.Add(c.now), down: c.down}
		if got := m.unreachable(c.pod); got != c.want {
			t.Errorf("%s: unreachable is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestProblem(t *testing.T) {
	crashed := waiting("app", "CrashLoopBackOff", "back-off 20s restarting")
	crashed.RestartCount = 3
	crashed.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1}
	again := running("app", 10*time.Second)
	again.Ready, again.RestartCount = false, 1
	again.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	slow := running("app", 0)
	slow.Ready = false
	unschedulable := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes\nare available"}
	for _, c := range []struct {
		name string
		now  time.Duration
		pod  *corev1.Pod
		want string
	}{
		{"ready", time.Hour, newPod(), ""},
		{"terminating", time.Hour, newPod(notReady, terminating(0)), ""},
		{"starting", time.Second, newPod(notReady, statuses(waiting("app", "ContainerCreating", ""))), ""},
		{"starting for long", 90 * time.Second, newPod(notReady, statuses(waiting("app", "ContainerCreating", ""))), "ContainerCreating for 90s"},
		{"no room", time.Second, newPod(notReady, statuses(), func(p *corev1.Pod) { p.Status.Conditions = append(p.Status.Conditions, unschedulable) }),
			"Unschedulable: 0/1 nodes are available"},
		{"no image", time.Second, newPod(notReady, statuses(waiting("app", "ImagePullBackOff", "Back-off pulling image \"x\""))), "ImagePullBackOff: Back-off pulling image \"x\""},
		{"a key that is missing", time.Second, newPod(notReady, statuses(waiting("app", "CreateContainerConfigError", "couldn't find key password"))),
			"CreateContainerConfigError: couldn't find key password"},
		{"crashing", time.Second, newPod(notReady, statuses(crashed)), "CrashLoopBackOff: exit code 1: “boom”"},
		{"started again", 12 * time.Second, newPod(notReady, statuses(again)), "container app was started 2 times: out of memory"},
		{"ended at once", time.Second, newPod(notReady, statuses(ended0("app", 0, 2))), "container app has ended: exit code 2"},
		{"not ready for a moment", 10 * time.Second, newPod(notReady, statuses(slow)), ""},
		{"not ready for long", 2 * time.Minute, newPod(notReady, statuses(slow)), "container app runs since 12:00:00 and does not become ready"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := moment{secrets: []string{secret}, label: Label(secret), now: start.Add(c.now), words: map[crash]string{
				{pod: "1", name: "backend-1", container: "app", restarts: 3, previous: true}: "boom",
			}}
			if got := m.pod(c.pod).Problem; got != c.want {
				t.Errorf("the problem is %q, want %q", got, c.want)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\x1b[31m red\nline\t\u0007 "); got != "a [31m red line" {
		t.Errorf("got %q", got)
	}
	long := make([]rune, longest+1)
	for i := range long {
		long[i] = 'ä'
	}
	if got := []rune(oneLine(string(long))); len(got) != longest+1 || got[longest] != '…' {
		t.Errorf("a long text became %d characters", len(got))
	}
}

func TestWhole(t *testing.T) {
	long := strings.Repeat("x", logBytes)
	for _, c := range []struct{ name, log, want string }{
		{"short", "connecting\nno log", "connecting\nno log"},
		{"cut off in its second line", ("connecting\n" + long)[:logBytes], "connecting\n"},
		{"cut off in its first line", long, ""},
	} {
		if got := string(whole([]byte(c.log))); got != c.want {
			t.Errorf("%s: %d bytes are left, want %q", c.name, len(got), c.want)
		}
	}
}
