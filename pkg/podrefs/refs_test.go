package podrefs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func named(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func items(key string) []corev1.KeyToPath { return []corev1.KeyToPath{{Key: key, Path: key}} }

// spec refers to a Secret or a ConfigMap in every way that this package knows, each by a name of its own.
func spec() *corev1.PodSpec {
	at := func(name string) *corev1.LocalObjectReference { ref := named(name); return &ref }
	return &corev1.PodSpec{
		ImagePullSecrets: []corev1.LocalObjectReference{named("pull")},
		Volumes: []corev1.Volume{
			{Name: "files", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "files", Items: items("a")}}},
			{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("settings")}}},
			{Name: "both", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{Secret: &corev1.SecretProjection{LocalObjectReference: named("projected"), Items: items("b")}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named("projected")}},
			}}}},
			{Name: "csi", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: at("csi")}}},
			{Name: "azure", VolumeSource: corev1.VolumeSource{AzureFile: &corev1.AzureFileVolumeSource{SecretName: "azure"}}},
			{Name: "empty", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}},
		},
		InitContainers: []corev1.Container{{Name: "init", EnvFrom: []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("all")}}, {ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("all")}},
		}}},
		Containers: []corev1.Container{{Name: "app", Env: []corev1.EnvVar{
			{Name: "ONE", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("one"), Key: "c"}}},
			{Name: "TWO", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named("two"), Key: "d"}}},
			{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
		}}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debug", EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("debug")}}}}}},
	}
}

func TestEveryReferenceIsFound(t *testing.T) {
	var got []string
	for ref := range In(spec()) {
		text := []string{ref.Object, []string{"variable", "file", "mount", "pull"}[ref.Use], ref.Container + ref.Volume}
		got = append(got, strings.Join(append(text, ref.Keys()...), " "))
	}
	want := []string{
		"pull pull ", "files file files a", "configmap/settings file settings", "projected file both b", "configmap/projected file both", "csi mount csi", "azure mount azure",
		"all variable init", "configmap/all variable init", "one variable app c", "configmap/two variable app d", "debug variable debug",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"all", "azure", "csi", "debug", "files", "one", "projected", "pull"}, Secrets(spec())); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"settings", "projected", "all", "two"}, ConfigMaps(spec())); diff != "" {
		t.Errorf("ConfigMaps (-want +got):\n%s", diff)
	}
}

// What the kubelet alone needs is handed to no container.
func TestWhichKeysAreGiven(t *testing.T) {
	for object, want := range map[string]bool{"pull": false, "csi": false, "files": false, "projected": true, "all": true, "one": false} {
		got := false
		for ref := range In(spec()) {
			got = got || ref.Object == object && ref.Gives("b")
		}
		if got != want {
			t.Errorf("key b of %s is given: %v, want %v", object, got, want)
		}
	}
}

func TestARenamedReferenceLeadsElsewhere(t *testing.T) {
	changed := spec()
	for ref := range In(changed) {
		if _, public := ref.AsConfigMap(); !public {
			ref.Rename("copy")
		}
	}
	if got := Secrets(changed); !slices.Equal(got, []string{"copy"}) {
		t.Errorf("after it spec refers to %v", got)
	}
	if got, want := ConfigMaps(changed), ConfigMaps(spec()); !slices.Equal(got, want) {
		t.Errorf("its ConfigMaps are %v, want %v", got, want)
	}
}

func TestAPodIsMadeByWhatSelectsItAndNamesIt(t *testing.T) {
	chosen := labels.SelectorFromSet(labels.Set{"app": "db"})
	for _, c := range []struct {
		pod, kind, app string
		want           bool
	}{
		{"db-0", "StatefulSet", "db", true}, {"db-12", "statefulset", "db", true}, {"db-1x", "StatefulSet", "db", false}, {"db-01", "StatefulSet", "db", false},
		{"db--1", "StatefulSet", "db", false}, {"other-0", "StatefulSet", "db", false}, {"db-0", "StatefulSet", "thief", false},
		{"db-x", "DaemonSet", "db", true}, {"db-x", "DaemonSet", "thief", false},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: c.pod, Labels: map[string]string{"app": c.app}}}
		if got := MadeBy(p, c.kind, "db", chosen); got != c.want {
			t.Errorf("pod %s with app=%s is made by %s db: %v, want %v", c.pod, c.app, c.kind, got, c.want)
		}
	}
}
