package wiring

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The administrator's password that a ConfigMap names goes to a pod that is given it, and to no other; that of a file goes where the
// file says.
func TestTheAdministratorsPasswordOfAConfigMapGoesToWhoHoldsIt(t *testing.T) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "stripe"}, Data: map[string][]byte{"api-key": []byte("sk_live"), "other": []byte("x")},
	}
	variable := func(name, key string) []corev1.EnvVar {
		return []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}}}}
	}
	files := func(name string, keys ...string) []corev1.Volume {
		v := &corev1.SecretVolumeSource{SecretName: name}
		for _, key := range keys {
			v.Items = append(v.Items, corev1.KeyToPath{Key: key, Path: key})
		}
		return []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: v}}}
	}
	projected := func(name string) []corev1.Volume {
		return []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}}}}}
	}
	from := func(name string) []corev1.EnvFromSource {
		return []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}
	}
	for name, c := range map[string]struct {
		pod   corev1.PodSpec
		given bool
	}{
		"nothing":                      {corev1.PodSpec{Containers: []corev1.Container{{Name: "evil"}}}, false},
		"the key, in a variable":       {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg", Env: variable("stripe", "api-key")}}}, true},
		"another key":                  {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg", Env: variable("stripe", "other")}}}, false},
		"another Secret":               {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg", Env: variable("pg", "api-key")}}}, false},
		"all keys, in variables":       {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg", EnvFrom: from("stripe")}}}, true},
		"to an init container":         {corev1.PodSpec{InitContainers: []corev1.Container{{Name: "i", EnvFrom: from("stripe")}}, Containers: []corev1.Container{{Name: "pg"}}}, true},
		"all keys, in files":           {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, Volumes: files("stripe")}, true},
		"the key, in a file":           {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, Volumes: files("stripe", "other", "api-key")}, true},
		"another key, in a file":       {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, Volumes: files("stripe", "other")}, false},
		"another Secret, in files":     {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, Volumes: files("pg")}, false},
		"all keys, in projected files": {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, Volumes: projected("stripe")}, true},
		"another Secret, projected":    {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, Volumes: projected("pg")}, false},
		"the right to pull its images": {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg"}}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "stripe"}}}, false},
		"a ConfigMap of the same name": {corev1.PodSpec{Containers: []corev1.Container{{Name: "pg", EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "stripe"}}}}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pg-0"}, Spec: c.pod}
			admin := config.Admin{User: "postgres", Secret: &config.KeyRef{Name: "stripe", Key: "api-key"}}
			for _, target := range []config.Target{
				{Kind: config.KindPostgres, Postgres: &config.Postgres{Pod: "pg-0", Admin: admin}},
				{Kind: config.KindRedis, Redis: &config.Redis{Pod: "pg-0", Admin: admin}},
				{Kind: config.KindJWT, JWT: &config.JWT{Sessions: &config.Sessions{Redis: config.Redis{Pod: "pg-0", Admin: admin}}}},
			} {
				in := openingIn(target, secret, pod)
				in.server = target.Server()
				got, err := administratorsPassword(t, in)
				if err != nil || got != "sk_live" {
					t.Errorf("%s, as a file has it: %q, %v", target.Kind, got, err)
				}
				in.source = config.Source{ConfigMap: config.ConfigMapName, Namespace: "shop", Named: true}
				if got, err = administratorsPassword(t, in); err != nil || got != "sk_live" {
					t.Errorf("%s, as a ConfigMap has it that was named: %q, %v", target.Kind, got, err)
				}
				in.source.Named = false
				got, err = administratorsPassword(t, in)
				switch {
				case c.given && (err != nil || got != "sk_live"):
					t.Errorf("%s, to whom it is given: %q, %v", target.Kind, got, err)
				case !c.given && (got != "" || !errors.As(err, new(UsageError)) || !strings.Contains(err.Error(), in.server.Section+".admin.secret") ||
					!strings.Contains(rotation.Hint(err), "--config=configmap/kubectl-rotate")):
					t.Errorf("%s, to whom it is not given: %q, %v (%s)", target.Kind, got, err, rotation.Hint(err))
				}
			}
		})
	}
}

// administratorsPassword is the one that is used at a server of any kind.
func administratorsPassword(t *testing.T, in opening) (string, error) {
	t.Helper()
	if in.target.Kind == config.KindPostgres {
		a, err := administrator(t.Context(), in)
		return string(a.Password.Reveal()), err
	}
	a, err := redisAdmin(t.Context(), in, rotation.Record{})
	all := ""
	for _, p := range slices.All(a.Passwords) {
		all += string(p.Reveal())
	}
	return all, err
}
