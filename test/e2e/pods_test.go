package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// session is a container that keeps a session open as a login.
func session(user, password string) corev1.PodSpec {
	grace := int64(1)
	return corev1.PodSpec{
		TerminationGracePeriodSeconds: &grace, RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{
			Name: "app", Image: deploy.BaseImage, ImagePullPolicy: corev1.PullNever,
			Command: []string{"/bin/sh", "-c", `exec psql "host=$POSTGRESQL_SERVICE_HOST dbname=demo-platform application_name=forgotten" -c 'SELECT pg_sleep(3600)'`},
			Env:     []corev1.EnvVar{{Name: "PGUSER", Value: user}, {Name: "PGPASSWORD", Value: password}},
		}},
	}
}

// A pod that was handed the old Secret although its label is new, as a kubelet's cache may do: its session on the old
// login gives it away, and it is replaced.
func TestPodWithTheOldSecret(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(20)
	old := w.secret(credentials)
	w.rotate(3, "postgres", "--yes", "--until=rollout")
	stale := w.deceived(old)
	r := w.rotate(0, "postgres", "--yes", "--soak=0")
	r.says(t, "pod/"+stale)
	for _, p := range w.pods() {
		if p.Name == stale {
			t.Errorf("pod %s is still there", stale)
		}
	}
	w.standby("backend_v2")
}

// deceived puts a pod in the place of one of the backend's, of the same ReplicaSet and with the same labels, that has
// what the Secret said before as its environment.
func (w *world) deceived(old *corev1.Secret) string {
	w.Helper()
	model := w.pods()[0]
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: model.Name + "-old"}, Spec: *model.Spec.DeepCopy()}
	p.Spec.NodeName = ""
	c := &p.Spec.Containers[0]
	for i, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == credentials {
			c.Env[i] = corev1.EnvVar{Name: e.Name, Value: string(old.Data[e.ValueFrom.SecretKeyRef.Key])}
			c.Env = append(c.Env, corev1.EnvVar{Name: "OF_" + e.Name, ValueFrom: e.ValueFrom}) // as it is in the template
		}
	}
	pods := w.kube.CoreV1().Pods(w.ns)
	_, err := pods.Create(w.ctx, p, metav1.CreateOptions{})
	w.must("making the pod", err)
	w.until("the pod with the old Secret serves", func() bool {
		q, err := pods.Get(w.ctx, p.Name, metav1.GetOptions{})
		w.must("reading it", err)
		return ready(*q)
	})
	first := []byte(`{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"-100"}}}`)
	_, err = pods.Patch(w.ctx, model.Name, types.MergePatchType, first, metav1.PatchOptions{})
	w.must("having the model go first", err)
	labels, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": model.Labels}})
	w.must("encoding its labels", err)
	_, err = pods.Patch(w.ctx, p.Name, types.MergePatchType, labels, metav1.PatchOptions{})
	w.must("having it adopted", err)
	w.until("it has taken its model's place", func() bool {
		_, err := pods.Get(w.ctx, model.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	return p.Name
}

// What an autoscaler does in the middle of a rollout: more pods. All of them end on the new login. Beforehand it is said
// that there would not be connections enough for the most that it may make.
func TestScaledUpInMidRollout(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(20)
	_, err := w.kube.AutoscalingV2().HorizontalPodAutoscalers(w.ns).Create(w.ctx, &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "backend"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "backend"}, MaxReplicas: 300,
		},
	}, metav1.CreateOptions{})
	w.must("making an autoscaler", err)
	r := w.rotate(3, "postgres", "--yes", "--until=activate")
	r.says(t, "once autoscalers have made as many pods as they may")
	w.must("removing it", w.kube.AutoscalingV2().HorizontalPodAutoscalers(w.ns).Delete(w.ctx, "backend", metav1.DeleteOptions{}))
	w.rotate(3, "postgres", "--yes", "--wait=false")
	five := int32(5)
	w.changed("backend", func(d *appsv1.Deployment) { d.Spec.Replicas = &five })
	w.rotate(0, "postgres", "--yes", "--soak=0")
	if n := len(w.pods()); n != 5 {
		t.Errorf("%d pods, want 5", n)
	}
	w.standby("backend_v2")
}

// A CronJob that has the old login baked into its template: the run that is on holds the drain up, and is named; its next
// run is asked about only where it reads the Secret.
func TestForgottenCronJob(t *testing.T) {
	long(t)
	w := newWorld(t)
	now := w.login()
	job := batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: session(now.user, now.password)}}}
	_, err := w.kube.BatchV1().Jobs(w.ns).Create(w.ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "forgotten-1"}, Spec: job.Spec}, metav1.CreateOptions{})
	w.must("making a run", err)
	w.until("the run is on", func() bool {
		pods := w.labelled("job-name=forgotten-1")
		return len(pods) == 1 && pods[0].Status.Phase == corev1.PodRunning
	})
	nightly := reader("nightly", credentials)
	nightly.Spec.RestartPolicy = corev1.RestartPolicyNever
	_, err = w.kube.BatchV1().CronJobs(w.ns).Create(w.ctx, &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "nightly"},
		Spec:       batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: nightly}}},
	}, metav1.CreateOptions{})
	w.must("making a CronJob", err)
	w.waits([]string{
		"cronjob/nightly: it runs next at 2027-01-01 00:00:00 UTC, and the old login is erased after a soak of 0s",
		"of Job forgotten-1, which does not read the Secret", "(forgotten)",
	}, "postgres", "--yes", "--soak=0")
	if !w.accepted(now) {
		t.Error("the old login is refused while a run uses it")
	}
	w.rotate(0, "postgres", "--yes", "--soak=0", "--stragglers=terminate")
	w.standby("backend_v2")
}

func (w *world) labelled(selector string) []corev1.Pod {
	w.Helper()
	list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: selector})
	w.must("listing pods", err)
	return list.Items
}

// A Secret that is mounted changes under the running pod; it is rolled all the same, since nothing proves when a program
// reads a file again.
func TestMountedSecret(t *testing.T) {
	w := newWorld(t)
	w.deployment("mounted", credentials, func(d *appsv1.Deployment) {
		spec := &d.Spec.Template.Spec
		spec.Containers[0].EnvFrom = nil
		spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "db", MountPath: "/db"}}
		spec.Volumes = []corev1.Volume{{Name: "db", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: credentials}}}}
	})
	before := w.podsOf("mounted")[0].Name
	w.rotate(0, "postgres", "--yes", "--soak=0")
	if pods := w.podsOf("mounted"); len(pods) != 1 || pods[0].Name == before {
		t.Error("the pod that mounts the Secret was not replaced")
	}
	w.standby("backend_v2")
}

// A node that has stopped reporting keeps its pod terminating: it is named and left out, and the rotation comes to its
// end.
func TestNodeThatIsDown(t *testing.T) {
	long(t)
	w := newWorld(t)
	node := w.deadNode()
	p := reader("stranded", credentials)
	p.Spec.NodeName = node
	p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	_, err := w.kube.CoreV1().Pods(w.ns).Create(w.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "stranded"}, Spec: p.Spec}, metav1.CreateOptions{})
	w.must("making a pod on the node", err)
	w.must("deleting it", w.kube.CoreV1().Pods(w.ns).Delete(w.ctx, "stranded", metav1.DeleteOptions{}))
	r := w.as("admin", "postgres", "--yes", "--soak=0")
	if r.code != 0 {
		t.Errorf("want exit code 0: %s", r)
	}
	r.says(t, "pod/stranded: the node of pod stranded does not report: what runs there can't be known",
		"pod/stranded: its node does not report; its sessions are ended at revoke", "3 of 4 pods on v2")
	w.standby("backend_v2")
}

// deadNode is a node whose kubelet has never been. Nothing of other tests is put there: its taint is known to none.
func (w *world) deadNode() string {
	w.Helper()
	name := strings.ReplaceAll(w.ns, "e2e-", "dead-")
	_, err := w.kube.CoreV1().Nodes().Create(w.ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{
			{Key: "kubectl-rotate.test/dead", Effect: corev1.TaintEffectNoSchedule}, {Key: "kubectl-rotate.test/dead", Effect: corev1.TaintEffectNoExecute},
		}},
	}, metav1.CreateOptions{})
	w.must("making a node", err)
	w.Cleanup(func() {
		_ = w.kube.CoreV1().Nodes().Delete(context.WithoutCancel(w.ctx), name, metav1.DeleteOptions{})
	})
	silent := []byte(`{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]}}`)
	_, err = w.kube.CoreV1().Nodes().Patch(w.ctx, name, types.StrategicMergePatchType, silent, metav1.PatchOptions{}, "status")
	w.must("having it silent", err)
	return name
}

// calm waits until every pod of the backend is ready, and none is on its way out.
func (w *world) calm() {
	w.Helper()
	w.until("the backend is settled", func() bool {
		list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=backend"})
		w.must("listing pods", err)
		d, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, "backend", metav1.GetOptions{})
		w.must("reading the deployment", err)
		return len(list.Items) == int(*d.Spec.Replicas) && d.Status.ObservedGeneration >= d.Generation &&
			!slices.ContainsFunc(list.Items, func(p corev1.Pod) bool { return !ready(p) || p.DeletionTimestamp != nil })
	})
}

// names are the names of pods, sorted.
func names(pods []corev1.Pod) (all []string) {
	for _, p := range pods {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return all
}
