package kube

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// storing is a pod whose container has a volume of each sort.
func storing() *corev1.Pod {
	mounts := func(names ...string) (all []corev1.VolumeMount) {
		for _, name := range names {
			all = append(all, corev1.VolumeMount{Name: name, MountPath: "/" + name})
		}
		return all
	}
	claim := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis-0"},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "prepare", VolumeMounts: mounts("prepared")}},
			Containers: []corev1.Container{{
				Name: "redis", VolumeMounts: mounts("data", "scratch", "settings", "secrets", "prepared", "data-too", "frozen"),
				Command: []string{"redis-server", "/settings/redis.conf"}, Args: []string{"--requirepass", "$(PASS)", "--port=6379"},
				Env: []corev1.EnvVar{{Name: "PASS", Value: "s3cret"}},
			}},
			Volumes: []corev1.Volume{
				{Name: "data", VolumeSource: claim},
				{Name: "data-too", VolumeSource: claim},
				{Name: "frozen", VolumeSource: claim},
				{Name: "prepared", VolumeSource: claim},
				{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "redis-conf"}}}},
				{Name: "secrets", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "acl"}}},
			},
		},
	}
	mounted := p.Spec.Containers[0].VolumeMounts
	mounted[len(mounted)-1].ReadOnly = true
	return p
}

func TestFilesThatDoNotOutlastAPodAreKnown(t *testing.T) {
	for file, want := range map[string]string{
		"/data/users.acl":       "",
		"/data-too/users.acl":   "",
		"/etc/redis/redis.conf": "in the container's own file system",
		"/scratch/users.acl":    "goes with the pod",
		"/settings/redis.conf":  "from the ConfigMap redis-conf",
		"/secrets/users.acl":    "from the Secret acl",
		"/frozen/users.acl":     "read only",
		"/prepared/users.acl":   "the init container prepare may write anew",
	} {
		if got := Lost(storing(), "redis", file); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func TestArgumentsAndFilesOfAContainerAreRead(t *testing.T) {
	client := fake.NewClientset(storing(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis-conf"}, Data: map[string]string{"redis.conf": "port 6379\n"},
	})
	env, err := ContainerEnv(t.Context(), client.CoreV1(), "shop", "redis-0", "redis")
	if err != nil {
		t.Fatal(err)
	}
	for option, want := range map[string]string{"--requirepass": "s3cret", "--port": "6379", "--masterauth": ""} {
		v, found, err := env.Argument(t.Context(), option)
		if err != nil || found != (want != "") || string(v.Value.Reveal()) != want {
			t.Errorf("%s: found is %v, %v", option, found, err)
		}
	}
	if v, found := env.ConfigFile(t.Context(), ".conf"); !found || string(v.Value.Reveal()) != "port 6379\n" {
		t.Errorf("the file: found is %v", found)
	}
	if _, found := env.ConfigFile(t.Context(), ".acl"); found {
		t.Error("a file was found that nobody names")
	}
}
