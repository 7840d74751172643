package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

const credentials = "postgresql-credentials"

// reader is a template of pods that are handed a Secret and stay.
func reader(app, secret string) corev1.PodTemplateSpec {
	grace := int64(1)
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: "app", Image: deploy.BaseImage, ImagePullPolicy: corev1.PullNever,
				Command: []string{"/bin/sh", "-c", "touch /tmp/ready; exec sleep 3600"},
				EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}}},
				ReadinessProbe: &corev1.Probe{
					ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/ls", "/tmp/ready"}}},
					PeriodSeconds: 1,
				},
			}},
		},
	}
}

func selecting(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

// deployment makes one of a replica that reads a Secret, with changes, and waits until it serves.
func (w *world) deployment(name, secret string, changes ...func(*appsv1.Deployment)) {
	w.Helper()
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       appsv1.DeploymentSpec{Selector: selecting(name), Template: reader(name, secret)},
	}
	for _, change := range changes {
		change(d)
	}
	paused := d.Spec.Paused
	d.Spec.Paused = false
	_, err := w.kube.AppsV1().Deployments(w.ns).Create(w.ctx, d, metav1.CreateOptions{})
	w.must("making deployment "+name, err)
	w.serving(name, 1)
	if paused {
		w.changed(name, func(d *appsv1.Deployment) { d.Spec.Paused = true })
	}
}

// changed changes a Deployment.
func (w *world) changed(name string, change func(*appsv1.Deployment)) {
	w.Helper()
	w.until("deployment "+name+" is changed", func() bool {
		d, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, name, metav1.GetOptions{})
		w.must("reading deployment "+name, err)
		change(d)
		_, err = w.kube.AppsV1().Deployments(w.ns).Update(w.ctx, d, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
		return err == nil
	})
}

func (w *world) statefulSet(name string, strategy appsv1.StatefulSetUpdateStrategy) {
	w.Helper()
	two := int32(2)
	_, err := w.kube.AppsV1().StatefulSets(w.ns).Create(w.ctx, &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       appsv1.StatefulSetSpec{Replicas: &two, Selector: selecting(name), Template: reader(name, credentials), UpdateStrategy: strategy},
	}, metav1.CreateOptions{})
	w.must("making statefulset "+name, err)
	w.serving(name, 2)
}

// podsOf are the live pods of an app.
func (w *world) podsOf(app string) (pods []corev1.Pod) {
	w.Helper()
	list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	w.must("listing pods", err)
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			pods = append(pods, p)
		}
	}
	return pods
}

func (w *world) serving(app string, n int) {
	w.Helper()
	w.until(app+" serves", func() bool {
		pods := w.podsOf(app)
		for _, p := range pods {
			if !ready(p) {
				return false
			}
		}
		return len(pods) == n
	})
}

// says wants all of texts in what a run told its operator.
func (r result) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("no word of %q: %s", text, r)
		}
	}
}

// What is down while it rolls, and what does not tell when it is up, is asked for before anything begins, by name.
func TestConsentToWhatIsDown(t *testing.T) {
	w := newWorld(t)
	zero, one := intstr.FromInt32(0), intstr.FromInt32(1)
	w.deployment("recreated", credentials, func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType })
	w.deployment("single", credentials, func(d *appsv1.Deployment) {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &zero, MaxUnavailable: &one}
	})
	w.deployment("blind", credentials, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].ReadinessProbe = nil })
	w.deployment("reloaded", credentials, func(d *appsv1.Deployment) {
		d.Annotations = map[string]string{"reloader.stakater.com/auto": "true"}
	})
	before := w.fingerprint()
	asked := []string{
		"deployment/recreated: strategy Recreate: all its pods end before new ones start",
		"deployment/single: one replica and maxSurge 0: its pod ends before the new one starts",
		"deployment/blind: a container has no readiness probe: a new pod counts as ready as soon as it runs",
		"deployment/reloaded: Reloader restarts it when the Secret changes: it rolls twice",
	}
	s := w.terminal(100, 50)
	s.run("postgres")
	s.shows("begin asks")
	for _, text := range asked {
		if !strings.Contains(strings.Join(strings.Fields(s.screen()), " "), text) {
			t.Errorf("%q is not asked:\n%s", text, s.screen())
		}
	}
	s.press("q")
	s.shows("exit code 3")
	w.unchanged(before)
	w.rotate(0, "postgres", "--yes", "--soak=0").says(t, asked...)
	w.standby("backend_v2")
}

// Controllers that leave old pods as they are hold a rotation up, each with its reason, until somebody does something
// about it; the old login works until then.
func TestPodsThatDoNotMove(t *testing.T) {
	long(t)
	w := newWorld(t)
	one := int32(1)
	w.deployment("paused", credentials, func(d *appsv1.Deployment) { d.Spec.Paused = true })
	w.statefulSet("by-hand", appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType})
	w.statefulSet("staged", appsv1.StatefulSetUpdateStrategy{RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &one}})
	w.daemonSetOnDelete("agent")
	old := w.login()
	w.waits([]string{
		"rollout     waiting",
		"deployment/paused: it is paused: its pods do not move before somebody resumes it",
		"statefulset/by-hand: strategy OnDelete: each of its pods moves only when somebody deletes it",
		"statefulset/staged: partition 1: its pods below that number do not move before somebody lowers it",
		"daemonset/agent: strategy OnDelete: each of its pods moves only when somebody deletes it",
	}, "postgres", "--yes", "--soak=0")
	if !w.accepted(old) {
		t.Error("the old login is refused while pods use it")
	}
	w.changed("paused", func(d *appsv1.Deployment) { d.Spec.Paused = false })
	set, err := w.kube.AppsV1().StatefulSets(w.ns).Get(w.ctx, "staged", metav1.GetOptions{})
	w.must("reading it", err)
	set.Spec.UpdateStrategy.RollingUpdate = nil
	_, err = w.kube.AppsV1().StatefulSets(w.ns).Update(w.ctx, set, metav1.UpdateOptions{})
	w.must("lowering the partition", err)
	for _, app := range []string{"by-hand", "agent"} {
		for _, p := range w.podsOf(app) {
			w.must("deleting a pod", w.kube.CoreV1().Pods(w.ns).Delete(w.ctx, p.Name, metav1.DeleteOptions{}))
		}
	}
	w.rotate(0, "postgres", "--yes", "--soak=0")
	w.standby("backend_v2")
}

func (w *world) daemonSetOnDelete(name string) {
	w.Helper()
	_, err := w.kube.AppsV1().DaemonSets(w.ns).Create(w.ctx, &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DaemonSetSpec{Selector: selecting(name), Template: reader(name, credentials),
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}},
	}, metav1.CreateOptions{})
	w.must("making daemonset "+name, err)
	w.serving(name, 1)
}
