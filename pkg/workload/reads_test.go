package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

const secret = "postgresql-credentials"

func envFrom(name string) []corev1.EnvFromSource {
	return []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}
}

func envKey(name string) []corev1.EnvVar {
	return []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "password",
	}}}}
}

func volume(source corev1.VolumeSource) []corev1.Volume {
	return []corev1.Volume{{Name: "v", VolumeSource: source}}
}

func mounted(mount corev1.VolumeMount) []corev1.Container {
	mount.Name = "v"
	return []corev1.Container{{Name: "app", VolumeMounts: []corev1.VolumeMount{mount}}}
}

func TestReads(t *testing.T) {
	ofSecret := corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}
	projected := corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ConfigMap: &corev1.ConfigMapProjection{}},
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}},
	}}}
	csi := corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: &corev1.LocalObjectReference{Name: secret}}}
	app := []string{"app"}
	for _, c := range []struct {
		name string
		spec corev1.PodSpec
		want reading
	}{
		{"nothing", corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}, reading{}},
		{"another Secret", corev1.PodSpec{Containers: []corev1.Container{{Name: "app", EnvFrom: envFrom("other"), Env: envKey("other")}}}, reading{}},
		{"envFrom", corev1.PodSpec{Containers: []corev1.Container{{Name: "app", EnvFrom: envFrom(secret)}}}, reading{any: true, containers: app}},
		{"env", corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Env: envKey(secret)}, {Name: "sidecar"}}}, reading{any: true, containers: app}},
		{"an init container", corev1.PodSpec{InitContainers: []corev1.Container{{Name: "migrate", Env: envKey(secret)}}, Containers: []corev1.Container{{Name: "app"}}},
			reading{any: true, containers: []string{"migrate"}}},
		{"an ephemeral container", corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Env: envKey(secret)}}}},
			reading{any: true, containers: []string{"debug"}}},
		{"a volume", corev1.PodSpec{Volumes: volume(ofSecret), Containers: mounted(corev1.VolumeMount{})}, reading{any: true, containers: app, reloads: true}},
		{"a part of a volume", corev1.PodSpec{Volumes: volume(ofSecret), Containers: mounted(corev1.VolumeMount{SubPath: "password"})}, reading{any: true, containers: app}},
		{"a computed part of a volume", corev1.PodSpec{Volumes: volume(ofSecret), Containers: mounted(corev1.VolumeMount{SubPathExpr: "$(KEY)"})}, reading{any: true, containers: app}},
		{"a volume that nobody mounts", corev1.PodSpec{Volumes: volume(ofSecret), Containers: []corev1.Container{{Name: "app"}}}, reading{any: true}},
		{"a projected volume", corev1.PodSpec{Volumes: volume(projected), Containers: mounted(corev1.VolumeMount{})}, reading{any: true, containers: app, reloads: true}},
		{"a volume of a CSI driver", corev1.PodSpec{Volumes: volume(csi), Containers: mounted(corev1.VolumeMount{})}, reading{any: true, containers: app}},
		{"a CSI volume without a Secret", corev1.PodSpec{Volumes: volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}), Containers: mounted(corev1.VolumeMount{})}, reading{}},
		{"to pull images", corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: secret}}}, reading{any: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, reads(&c.spec, secret), cmp.AllowUnexported(reading{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A ConfigMap that shows who verifies what to accept is read as a Secret is; a Secret of the same name is another thing.
func TestReadsConfigMaps(t *testing.T) {
	const keys = "keys"
	ref := corev1.LocalObjectReference{Name: keys}
	ofMap := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref}}
	projected := corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref}}}}}
	app := []string{"app"}
	for name, c := range map[string]struct {
		spec corev1.PodSpec
		want reading
	}{
		"envFrom": {corev1.PodSpec{Containers: []corev1.Container{{Name: "app", EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref}}}}}},
			reading{any: true, containers: app}},
		"env": {corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Env: []corev1.EnvVar{{Name: "JWKS", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref}}}}}}},
			reading{any: true, containers: app}},
		"a volume":           {corev1.PodSpec{Volumes: volume(ofMap), Containers: mounted(corev1.VolumeMount{})}, reading{any: true, containers: app, reloads: true}},
		"a projected volume": {corev1.PodSpec{Volumes: volume(projected), Containers: mounted(corev1.VolumeMount{})}, reading{any: true, containers: app, reloads: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, reads(&c.spec, secret, podrefs.ConfigMap(keys)), cmp.AllowUnexported(reading{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if reads(&c.spec, keys).any {
				t.Error("it is taken for the Secret of that name")
			}
		})
	}
}

func TestLabel(t *testing.T) {
	long := "a-name.that-is-longer-than-what-may-stand-in-the-name-part-of-a-label"
	for _, c := range []struct{ secret, want string }{
		{secret, "kubectl-rotate/postgresql-credentials"},
		{long, "kubectl-rotate/a-name.that-is-longer-than-what-may-stand-in-the-name--544dcd77"},
	} {
		if got := Label(c.secret); got != c.want {
			t.Errorf("Label(%q) = %q, want %q", c.secret, got, c.want)
		}
	}
	if Label(long) == Label(long+"x") {
		t.Error("two long names have one label")
	}
	for text, want := range map[string]int{"7": 7, "": 0, "x": 0, "-1": 0} {
		if got := editionIn(map[string]string{"l": text}, "l"); got != want {
			t.Errorf("the edition in %q is %d, want %d", text, got, want)
		}
	}
}
