package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// The runbook's section 8, word for word but for what it does not work with: openssl breaks the line, and then kubectl takes
// the second half for a name; there is no terminal for -it.
const runbooksEmergency = `
NEW_JWT_SECRET=$(openssl rand -base64 64 | tr -d '\n')
kubectl create secret generic jwt-keys \
  --from-literal=jwt-secret=$NEW_JWT_SECRET \
  --dry-run=client -o yaml | kubectl apply -f -
kubectl rollout restart deployment backend -n default
kubectl rollout status deployment backend -n default --timeout=5m
kubectl exec redis-0 -n default -- redis-cli FLUSHDB
`

// What ends every pod at once, as fast as kubectl can.
const deletesAll = `kubectl delete pod -l app=backend -n default --grace-period=1`

const pairsBesideTheRunbook = 3

// How much longer than the other's the median of ours may take. A rollout of three pods waits three times for a readiness probe that
// comes once a second, and kubelets end pods as their workers come to it: the same commands differ by as much from one time to the next.
const (
	mostRolling = 1.05
	mostCut     = 1.2
)

// The time until the last pod that knows a stolen key has ended, side by side on two platforms, in pairs whose order changes: the
// runbook's commands and ours take the same rollout. After the runbook's the stolen key is still accepted: apply leaves it in
// a Secret that apply has not made.
func TestEmergencyBesideTheRunbook(t *testing.T) {
	long(t)
	alone(t)
	ours, theirs, config := twoPlatforms(t)
	name, value := theirs.signingKey()
	ratio := ours.compared(
		func() { ours.rotate(0, "emergency-jwt", config, "--yes", "--again") },
		theirs, func() { theirs.kubectl(runbooksEmergency) })
	if ratio > mostRolling {
		t.Errorf("rolling takes %.2f times what the runbook takes, want at most %.2f", ratio, mostRolling)
	}
	theirs.serves(name, value, "after the runbook's commands")
}

// Ending all pods beside what kubectl takes to end them.
func TestCutBesideKubectlDelete(t *testing.T) {
	long(t)
	alone(t)
	ours, theirs, config := twoPlatforms(t)
	ratio := ours.compared(
		func() { ours.rotate(0, "emergency-jwt", config, "--yes", "--again", "--cut") },
		theirs, func() { theirs.kubectl(deletesAll) })
	if ratio > mostCut {
		t.Errorf("--cut takes %.2f times what kubectl delete takes, want at most %.2f", ratio, mostCut)
	}
}

// twoPlatforms are alike, in namespaces of their own.
func twoPlatforms(t *testing.T) (ours, theirs *world, config string) {
	t.Helper()
	ours, config = signing(t, time.Minute)
	other := *ours
	other.ns = namespace("TestOf" + strings.TrimPrefix(t.Name(), "Test"))
	other.deployWith(deploy.Options{TokenLifetime: time.Minute}, "jwt")
	return ours, &other, config
}

// compared is the median of how many times as long ours takes as theirs, until the last pod that was there has ended. The first
// pair finds everything cold, and does not count.
func (w *world) compared(ours func(), other *world, theirs func()) float64 {
	w.Helper()
	var ratios []float64
	for n := range pairsBesideTheRunbook + 1 {
		var mine, others time.Duration
		if n%2 == 0 {
			mine, others = w.lastExit(ours), other.lastExit(theirs)
		} else {
			others, mine = other.lastExit(theirs), w.lastExit(ours)
		}
		w.Logf("pair %d: ours %.2f s, theirs %.2f s", n, mine.Seconds(), others.Seconds())
		if n > 0 {
			ratios = append(ratios, mine.Seconds()/others.Seconds())
		}
	}
	slices.Sort(ratios)
	w.Logf("ours takes %.2f times theirs (%.2f)", ratios[len(ratios)/2], ratios)
	return ratios[len(ratios)/2]
}

// lastExit is how long it takes from a command until the last pod that was there before has ended. The command is waited for.
func (w *world) lastExit(command func()) time.Duration {
	w.Helper()
	w.calm()
	list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=backend"})
	w.must("listing pods", err)
	left := map[types.UID]bool{}
	for _, p := range list.Items {
		left[p.UID] = true
	}
	events, err := w.kube.CoreV1().Pods(w.ns).Watch(w.ctx, metav1.ListOptions{LabelSelector: "app=backend", ResourceVersion: list.ResourceVersion})
	w.must("watching pods", err)
	defer events.Stop()
	ended := make(chan time.Time, 1)
	go func() {
		for e := range events.ResultChan() {
			if p, ok := e.Object.(*corev1.Pod); ok && (e.Type == watch.Deleted || hasEnded(*p)) {
				delete(left, p.UID)
			}
			if len(left) == 0 {
				ended <- time.Now()
				return
			}
		}
	}()
	began := time.Now()
	command()
	select {
	case at := <-ended:
		return at.Sub(began)
	case <-w.ctx.Done():
		w.Fatal("the pods do not end")
		return 0
	}
}

func hasEnded(p corev1.Pod) bool {
	return len(p.Status.ContainerStatuses) > 0 && !slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.State.Terminated == nil
	})
}

// kubectl has a shell run commands of the runbook, in the world's namespace. Their exit codes are the runbook's matter.
func (w *world) kubectl(script string) {
	w.Helper()
	around := `kubectl() { command kubectl --context admin --namespace ` + w.ns + ` "$@"; }` + "\n"
	c := exec.CommandContext(w.ctx, "bash", "-c", around+strings.ReplaceAll(script, "-n default", "-n "+w.ns))
	bin := filepath.Join(filepath.Dir(w.kubeconfig), "bin")
	c.Env = append(os.Environ(), "KUBECONFIG="+w.kubeconfig, "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	w.Logf("%s (%v)", out, err)
}
