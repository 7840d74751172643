package workload

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestRolloutOnCluster(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 2, script(serves))
	before := p.settled()
	template := p.template("backend")
	moved := time.Now().Add(-time.Second)
	must(t, p.Move(t.Context(), before, 1))
	w := p.until("moved", func(w rotation.Workload) bool { return w.Settled && w.Edition == 1 && len(w.Pods) == 2 })
	for _, pod := range w.Pods {
		if pod.Edition != 1 || !pod.Ready || pod.Created.Before(moved.Truncate(time.Second)) || len(pod.Started) != 1 ||
			pod.Started[0].Before(pod.Created) || len(pod.Addresses) == 0 || slices.Contains(names(before.Pods), pod.Name) {
			t.Errorf("pod %+v, want a new one of edition 1", pod)
		}
	}
	if err := p.Move(t.Context(), before, 2); !errors.Is(err, rotation.ErrConflict) {
		t.Errorf("moving from a template that is no longer there: %v", err)
	}
	must(t, p.Move(t.Context(), w, 1)) // done already
	p.manager()
	must(t, p.Move(t.Context(), w, 0))
	if diff := cmp.Diff(template, p.template("backend")); diff != "" {
		t.Errorf("the template without the label (-before +after):\n%s", diff)
	}
}

// template is the pod template of a Deployment as the API server has it.
func (p *place) template(name string) string {
	p.Helper()
	d, err := p.Client.AppsV1().Deployments(p.Namespace).Get(p.Context(), name, metav1.GetOptions{})
	must(p.T, err)
	text, err := json.Marshal(d.Spec.Template)
	must(p.T, err)
	return string(text)
}

// manager wants the API server to say who wrote the label.
func (p *place) manager() {
	p.Helper()
	d, err := p.Client.AppsV1().Deployments(p.Namespace).Get(p.Context(), "backend", metav1.GetOptions{})
	must(p.T, err)
	if !slices.ContainsFunc(d.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == FieldManager }) {
		p.Errorf("managedFields do not name %s: %+v", FieldManager, d.ManagedFields)
	}
}

// TestBackToTheOldPodsOnCluster cuts a rollout short that can't succeed: the pods that served all the time go on.
func TestBackToTheOldPodsOnCluster(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 2, script(breaks))
	before := p.settled()
	must(t, p.Move(t.Context(), before, 2))
	w := p.until("failed", func(w rotation.Workload) bool { return w.Failed != "" && strings.Contains(w.Failed, "no login") })
	for _, text := range []string{"ProgressDeadlineExceeded", "pod/backend-", "exit code 3", "connecting | no login with [redacted]"} {
		if !strings.Contains(w.Failed, text) {
			t.Errorf("failed says %q, want %q in it", w.Failed, text)
		}
	}
	if strings.Contains(w.Failed, "swordfish") || w.Settled {
		t.Errorf("settled is %v, failed says %q", w.Settled, w.Failed)
	}
	must(t, p.Move(t.Context(), w, 0))
	back := p.settled()
	if diff := cmp.Diff(names(before.Pods), names(back.Pods)); diff != "" || back.Failed != "" {
		t.Errorf("failed is %q, and the pods are others (-before +after):\n%s", back.Failed, diff)
	}
}

func TestNoImageOnCluster(t *testing.T) {
	p := newPlace(t)
	template := script(serves)
	template.Spec.Containers[0].Image = "registry.invalid/none:1"
	template.Spec.Containers[0].ImagePullPolicy = corev1.PullIfNotPresent
	p.deployment("backend", 1, template)
	w := p.until("known to have no image", func(w rotation.Workload) bool { return len(w.Pods) == 1 && w.Pods[0].Problem != "" })
	if problem := w.Pods[0].Problem; !strings.Contains(problem, "ErrImagePull") && !strings.Contains(problem, "ImagePullBackOff") {
		t.Errorf("the problem is %q", problem)
	}
	p.until("failed", func(w rotation.Workload) bool { return strings.Contains(w.Failed, "registry.invalid") })
}

func TestStatefulSetOnCluster(t *testing.T) {
	p := newPlace(t)
	p.statefulSet("worker", 2, script(breaks))
	before := p.settled()
	must(t, p.Move(t.Context(), before, 1))
	w := p.until("moved", func(w rotation.Workload) bool {
		return w.Settled && len(w.Pods) == 2 && w.Pods[0].Edition == 1 && w.Pods[1].Edition == 1
	})
	must(t, p.Move(t.Context(), w, 2))
	stuck := p.until("stuck", func(w rotation.Workload) bool {
		return slices.ContainsFunc(w.Pods, func(p rotation.Pod) bool { return strings.Contains(p.Problem, "exit code 3") })
	})
	if stuck.Settled {
		t.Errorf("a StatefulSet with a pod that crashes has settled: %+v", stuck)
	}
	// Its controller waits for the broken pod for ever, although the template is well again.
	must(t, p.Move(t.Context(), stuck, 1))
	p.until("back", func(w rotation.Workload) bool {
		return w.Settled && len(w.Pods) == 2 && w.Pods[0].Edition == 1 && w.Pods[1].Edition == 1
	})
}

// TestTerminatingOnCluster has an old pod that takes its time to end: by its counts the Deployment is through before.
func TestTerminatingOnCluster(t *testing.T) {
	p := newPlace(t)
	template := script(`trap "" TERM; touch /tmp/ready; while true; do sleep 1; done`)
	grace := int64(6)
	template.Spec.TerminationGracePeriodSeconds = &grace
	p.deployment("backend", 1, template)
	must(t, p.Move(t.Context(), p.settled(), 1))
	w := p.until("terminating, and through by its counts", func(w rotation.Workload) bool {
		d, err := p.Client.AppsV1().Deployments(p.Namespace).Get(t.Context(), "backend", metav1.GetOptions{})
		must(t, err)
		return d.Generation == d.Status.ObservedGeneration && d.Status.UpdatedReplicas == 1 && d.Status.Replicas == 1 &&
			d.Status.AvailableReplicas == 1 && slices.ContainsFunc(w.Pods, func(p rotation.Pod) bool { return p.Terminating })
	})
	if w.Settled || len(w.Pods) != 2 {
		t.Errorf("the workload is %+v, want it not settled and both pods there", w)
	}
	p.settled()
}

func TestReplaceOnCluster(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 1, script(serves))
	w := p.settled()
	one := intstr.FromInt32(1)
	budget, err := p.Client.PolicyV1().PodDisruptionBudgets(p.Namespace).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "backend"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: selector},
	}, metav1.CreateOptions{})
	must(t, err)
	if err := p.Replace(t.Context(), w, w.Pods[0]); !errors.Is(err, rotation.ErrNotYet) || !strings.Contains(err.Error(), "disruption budget") {
		t.Fatalf("against a budget: %v", err)
	}
	must(t, p.Client.PolicyV1().PodDisruptionBudgets(p.Namespace).Delete(t.Context(), budget.Name, metav1.DeleteOptions{}))
	p.until("evicted", func(rotation.Workload) bool {
		err := p.Replace(t.Context(), w, w.Pods[0])
		return err == nil
	})
	after := p.settled()
	if after.Pods[0].Name == w.Pods[0].Name {
		t.Error("the pod is still there")
	}
	must(t, p.Replace(t.Context(), w, w.Pods[0])) // gone
	former := after.Pods[0]
	former.Created = former.Created.Add(-time.Hour)
	must(t, p.Replace(t.Context(), after, former)) // another of the same name
	if slices.ContainsFunc(p.look().Pods, func(p rotation.Pod) bool { return p.Terminating }) {
		t.Error("a pod was evicted for another of its name")
	}
}

func TestCronJobOnCluster(t *testing.T) {
	p := newPlace(t)
	job := script("sleep 1")
	job.Spec.Containers[0].ReadinessProbe = nil
	job.Spec.RestartPolicy = corev1.RestartPolicyNever
	_, err := p.Client.BatchV1().CronJobs(p.Namespace).Create(t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "report"},
		Spec:       batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: job}}},
	}, metav1.CreateOptions{})
	must(t, err)
	must(t, p.Move(t.Context(), p.look(), 4))
	w := p.look()
	if w.Name != "cronjob/report" || w.Edition != 4 || !w.Settled || w.Fixed {
		t.Errorf("the CronJob is %+v, want it moved to edition 4", w)
	}
	must(t, p.Move(t.Context(), w, 0))
	if w := p.look(); w.Edition != 0 {
		t.Errorf("the CronJob is %+v, want it without a label", w)
	}
	if err := p.Move(t.Context(), rotation.Workload{Name: "job/report-1"}, 1); err == nil || !strings.Contains(err.Error(), "job/report-1") {
		t.Errorf("moving a Job: %v", err)
	}
}

// TestReplicaSetOnCluster moves a ReplicaSet that nothing controls: its pods have to be replaced one by one.
func TestReplicaSetOnCluster(t *testing.T) {
	p := newPlace(t)
	one := int32(1)
	_, err := p.Client.AppsV1().ReplicaSets(p.Namespace).Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "single"},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &one, Selector: selector, Template: script(serves)},
	}, metav1.CreateOptions{})
	must(t, err)
	alive := func(w rotation.Workload) bool { return w.Settled && len(w.Pods) == 1 && w.Pods[0].Ready }
	p.present()
	w := p.until("settled", alive)
	must(t, p.Move(t.Context(), w, 1))
	w = p.until("moved", func(w rotation.Workload) bool { return w.Settled && w.Edition == 1 })
	if w.Pods[0].Edition != 0 {
		t.Errorf("the pod is %+v, want the old one", w.Pods[0])
	}
	must(t, p.Replace(t.Context(), w, w.Pods[0]))
	p.until("replaced", func(w rotation.Workload) bool { return alive(w) && w.Pods[0].Edition == 1 })
}

func TestDaemonSetOnCluster(t *testing.T) {
	p := newPlace(t)
	p.daemonSet("agent", script(serves))
	before := p.until("settled", func(w rotation.Workload) bool { return w.Settled && w.Desired == 1 && len(w.Pods) == 1 })
	must(t, p.Move(t.Context(), before, 1))
	after := p.until("moved", func(w rotation.Workload) bool { return w.Settled && len(w.Pods) == 1 && w.Pods[0].Edition == 1 })
	if after.Pods[0].Name == before.Pods[0].Name {
		t.Error("the pod is the same")
	}
}

// TestRulesOnCluster rolls a Deployment with the permissions of Rules alone: who reads logs or nodes has more.
func TestRulesOnCluster(t *testing.T) {
	admin := newPlace(t)
	p := admin.restricted("rotator", Rules([]string{"deployment/backend"}))
	admin.deployment("backend", 1, script(breaks))
	must(t, p.Move(t.Context(), p.settled(), 2))
	w := p.until("crashing", func(w rotation.Workload) bool {
		return slices.ContainsFunc(w.Pods, func(p rotation.Pod) bool { return strings.Contains(p.Problem, "exit code 3") })
	})
	for _, pod := range w.Pods {
		if strings.Contains(pod.Problem, "no login") {
			t.Errorf("the log was read without the permission: %q", pod.Problem)
		}
		if pod.Problem != "" {
			must(t, p.Replace(t.Context(), w, pod))
		}
	}
	err := p.Move(t.Context(), rotation.Workload{Name: "deployment/other"}, 1)
	if err == nil || !strings.Contains(err.Error(), "deployments") {
		t.Errorf("moving one that is not there: %v", err)
	}
}

// present waits until there is a workload: a bare ReplicaSet is known by its pods alone.
func (p *place) present() {
	p.Helper()
	err := wait.PollUntilContextTimeout(p.Context(), 100*time.Millisecond, patient, true, func(ctx context.Context) (bool, error) {
		all, err := p.Workloads(ctx)
		return len(all) > 0, err
	})
	must(p.T, err)
}

func TestChangesOnCluster(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 1, script(serves))
	p.settled()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := p.Changes(ctx)
	quiet(t, changes)
	other := script(serves)
	other.Spec.Containers[0].EnvFrom = nil
	other.Labels["app"] = "other"
	_, err := p.Client.CoreV1().Pods(p.Namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"app": "other"}}, Spec: other.Spec,
	}, metav1.CreateOptions{})
	must(t, err)
	p.running("other")
	select {
	case <-changes:
		t.Error("a pod that does not read the Secret is signalled")
	default:
	}
	must(t, p.Move(t.Context(), p.look(), 1))
	signalled(t, changes)
}

// running waits until a pod runs.
func (p *place) running(name string) {
	p.Helper()
	w, err := p.Client.CoreV1().Pods(p.Namespace).Watch(p.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	must(p.T, err)
	defer w.Stop()
	end := time.NewTimer(patient)
	defer end.Stop()
	for {
		select {
		case e := <-w.ResultChan():
			if pod, ok := e.Object.(*corev1.Pod); ok && pod.Status.Phase == corev1.PodRunning {
				return
			}
		case <-end.C:
			p.Fatalf("pod %s does not run", name)
		}
	}
}

func signalled(t *testing.T, changes <-chan struct{}) {
	t.Helper()
	select {
	case <-changes:
	case <-time.After(patient):
		t.Fatal("no signal")
	}
}

// quiet takes the signals with which the watches begin, one at the most for each, until there are no more for a while.
func quiet(t *testing.T, changes <-chan struct{}) {
	t.Helper()
	signalled(t, changes)
	for {
		select {
		case <-changes:
		case <-time.After(2 * time.Second):
			return
		}
	}
}
