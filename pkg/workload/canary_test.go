package workload

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// canaryIn is one whose Secret would hold the password "herring".
func canaryIn(p *place) *Canary {
	return &Canary{Consumers: p.Consumers, Rendered: func(context.Context, rotation.Record) (map[string]map[string][]byte, error) {
		return map[string]map[string][]byte{secret: {"password": []byte("herring")}}, nil
	}}
}

func attempt(n int) rotation.Record { return rotation.Record{Intent: &rotation.Intent{Attempt: n}} }

// one waits until there is one canary as wanted.
func (c *Canary) one(t *testing.T, what string, is func(rotation.CanaryPod) bool) (found rotation.CanaryPod) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patient, true, func(ctx context.Context) (bool, error) {
		all, err := c.Look(ctx)
		if len(all) == 1 {
			found = all[0]
		}
		return len(all) == 1 && is(found), err
	})
	if err != nil {
		t.Fatalf("waited for a canary that is %s: %v; %+v", what, err, found)
	}
	return found
}

// A canary runs on the new value while the Deployment's pods stay as they are, is selected by nobody, and takes the copy of the
// Secret with it.
func TestACanaryIsApartFromThePodsThatServe(t *testing.T) {
	p := newPlace(t)
	template := script(`[ "$password" = herring ] && touch /tmp/ready; exec sleep 3600`)
	template.Labels["tier"] = "web"
	p.deployment("backend", 1, template)
	_, err := p.Client.CoreV1().Services(p.Namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"tier": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}}},
	}, metav1.CreateOptions{})
	must(t, err)
	p.until("there", func(w rotation.Workload) bool { return len(w.Pods) == 1 })
	c := canaryIn(p.restricted("operator", append(Rules(nil), CanaryRules()...)))

	must(t, c.Start(t.Context(), attempt(4)))
	found := c.one(t, "ready", func(f rotation.CanaryPod) bool { return f.Ready })
	if found.Attempt != 4 || found.Of != "deployment/backend" || len(found.Addresses) == 0 {
		t.Errorf("found %+v", found)
	}
	pod, err := p.Client.CoreV1().Pods(p.Namespace).Get(t.Context(), found.Name, metav1.GetOptions{})
	must(t, err)
	if pod.Labels["app"] != "" || pod.Labels["tier"] != "" || len(pod.OwnerReferences) > 0 {
		t.Errorf("it has the labels %v and the owners %v: a Service or a controller could take it for one of its pods", pod.Labels, pod.OwnerReferences)
	}
	if w := p.look(); len(w.Pods) != 1 || w.Edition != 0 {
		t.Errorf("the consumer is %+v, want it as it was", w)
	}

	must(t, c.End(t.Context(), found))
	must(t, c.End(t.Context(), found)) // which changes nothing
	err = wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, patient, true, func(ctx context.Context) (bool, error) {
		_, err := p.Client.CoreV1().Secrets(p.Namespace).Get(ctx, found.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if err != nil {
		t.Errorf("the copy of the Secret is still there: %v", err)
	}
}

// A run that died before it let the canary go is continued with the very pod.
func TestACanaryThatWasLeftHalfMadeIsGoneOnWith(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 1, script(serves))
	c := canaryIn(p)
	half, err := c.make(t.Context(), 1)
	must(t, err)
	if found := c.one(t, "there", func(rotation.CanaryPod) bool { return true }); found.Ready || found.Problem != "" {
		t.Errorf("half made, it is %+v", found)
	}
	must(t, c.Start(t.Context(), attempt(1)))
	if found := c.one(t, "ready", func(f rotation.CanaryPod) bool { return f.Ready }); found.Name != half.Name {
		t.Errorf("%s is another pod than %s", found.Name, half.Name)
	}
}

func TestACanaryThatCrashesSaysWhy(t *testing.T) {
	p := newPlace(t)
	p.deployment("backend", 1, script(`[ "$password" = swordfish ] && { touch /tmp/ready; exec sleep 3600; }; echo "no such login"; exit 3`))
	c := canaryIn(p)
	must(t, c.Start(t.Context(), attempt(1)))
	found := c.one(t, "unwell", func(f rotation.CanaryPod) bool { return f.Problem != "" })
	for _, want := range []string{"exit code 3", "no such login"} {
		if !strings.Contains(found.Problem, want) {
			t.Errorf("it says %q, want %q in it", found.Problem, want)
		}
	}
	must(t, c.End(t.Context(), found))
}

// What only one pod can have is copied of nobody.
func TestWhatCannotBeTried(t *testing.T) {
	for name, change := range map[string]func(*corev1.PodSpec){
		"the host's network": func(s *corev1.PodSpec) { s.HostNetwork = true },
		"a port of the host": func(s *corev1.PodSpec) {
			s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
		},
		"a volume of its own": func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}}
		},
	} {
		spec := script(serves).Spec
		if !copyable(&spec) {
			t.Fatal("the script is not copyable as it is")
		}
		if change(&spec); copyable(&spec) {
			t.Errorf("%s: may be copied", name)
		}
	}
}

// Each way in which a Secret's content reaches a container leads to the copy; others stay.
func TestTheCopyIsReadInstead(t *testing.T) {
	ref := func(name string) *corev1.SecretKeySelector {
		return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}}
	}
	projected := func(name string) corev1.Volume {
		return corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}}}}
	}
	mounted := func(name string) corev1.Volume {
		return corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}
	}
	spec := corev1.PodSpec{
		InitContainers: []corev1.Container{{EnvFrom: envFrom("db")}},
		Containers: []corev1.Container{{Env: []corev1.EnvVar{
			{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: ref("db")}}, {ValueFrom: &corev1.EnvVarSource{SecretKeyRef: ref("other")}}, {Value: "db"},
		}}},
		Volumes: []corev1.Volume{mounted("db"), projected("db"), mounted("other"), projected("other")},
	}
	redirect(&spec, "db", "copy")
	got := reads(&spec, "copy")
	if left := reads(&spec, "db"); left.any || !got.any || !slices.Equal([]bool{true, true}, []bool{reads(&spec, "other").any, got.reloads || len(got.containers) > 0}) {
		t.Errorf("after it: %+v, of the copy %+v", left, got)
	}
	if spec.InitContainers[0].EnvFrom[0].SecretRef.Name != "copy" || spec.Volumes[0].Secret.SecretName != "copy" || spec.Volumes[2].Secret.SecretName != "other" {
		t.Errorf("spec is %+v", spec)
	}
}
