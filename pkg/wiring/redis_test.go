package wiring

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// redisIn is a target whose server runs in one pod with that container.
func redisIn(container corev1.Container, objects ...runtime.Object) opening {
	container.Name = "redis"
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis-0"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{container}, Volumes: []corev1.Volume{{
			Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "redis-conf"}}},
		}}},
	}
	return opening{
		clients: &kube.Clients{Kube: fake.NewClientset(append(objects, pod)...)}, namespace: "shop",
		server: config.Server{Section: "redis", Pod: "redis-0", Container: "redis", Admin: config.Admin{User: "default"}},
	}
}

func TestPasswordOfRedisIsFoundWhereItsPodIsGivenIt(t *testing.T) {
	settings := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis-conf"},
		Data:       map[string]string{"redis.conf": "# requirepass no\nport 6379\nrequirepass \"s3cret\"\n"},
	}
	for name, c := range map[string]corev1.Container{
		"a variable":       {Env: []corev1.EnvVar{{Name: "REDIS_PASSWORD", Value: "s3cret"}}},
		"the command line": {Args: []string{"redis-server", "--requirepass", "$(PASS)"}, Env: []corev1.EnvVar{{Name: "PASS", Value: "s3cret"}}},
		"its configuration": {
			Command: []string{"redis-server", "/etc/redis/redis.conf"}, VolumeMounts: []corev1.VolumeMount{{Name: "settings", MountPath: "/etc/redis"}},
		},
	} {
		admin, err := redisAdmin(t.Context(), redisIn(c, settings), rotation.Record{})
		if err != nil || len(admin.Passwords) != 1 || string(admin.Passwords[0].Reveal()) != "s3cret" {
			t.Errorf("%s: %d passwords (%v)", name, len(admin.Passwords), err)
		}
	}
	admin, err := redisAdmin(t.Context(), redisIn(corev1.Container{}), rotation.Record{})
	if err != nil || len(admin.Passwords) != 0 {
		t.Errorf("nowhere: %d passwords (%v)", len(admin.Passwords), err)
	}
}

// In the middle of a rotation of default, either version may be what lets the administrator in.
func TestAdministratorThatIsRotatedHasEveryVersion(t *testing.T) {
	of := func(v rotation.Version, value string) rotation.Credential {
		return rotation.Credential{V: v, ID: "default", Value: rotation.NewSecret([]byte(value))}
	}
	rec := rotation.Record{Current: of(1, "one"), Live: map[rotation.Version]rotation.Credential{1: of(1, "one"), 2: of(2, "two")}}
	admin, err := redisAdmin(t.Context(), redisIn(corev1.Container{}), rec)
	if err != nil || len(admin.Passwords) < 2 {
		t.Errorf("%d passwords (%v), want both", len(admin.Passwords), err)
	}
}

// A Secret without a user name is that of the user default.
func TestSecretWithoutAUserNameIsThatOfDefault(t *testing.T) {
	s := config.Secret{Name: "redis-credentials", Username: "username", Password: "password"}
	for login, data := range map[string]map[string][]byte{
		"default": {"password": []byte("s3cret")},
		"backend": {"password": []byte("s3cret"), "username": []byte("backend")},
	} {
		c, err := content(layout(config.KindRedis, s)).Parse(data)
		if err != nil || c.ID != login {
			t.Errorf("the login is %q (%v), want %s", c.ID, err, login)
		}
	}
	if _, err := content(layout(config.KindPostgres, s)).Parse(map[string][]byte{"password": []byte("s3cret")}); err == nil {
		t.Error("a Secret of PostgreSQL without a login was taken")
	}
}

// Whether the user keeps its name is what the version says that is under way, and not what the configuration has become since.
func TestUserOfRedisStaysAsItsRotationBegan(t *testing.T) {
	under := func(meta map[string]string) rotation.Record {
		return rotation.Record{
			Intent: &rotation.Intent{From: 1, To: 2, Attempt: 1}, Current: rotation.Credential{V: 1, ID: "shop"},
			Live: map[rotation.Version]rotation.Credential{1: {V: 1, ID: "shop"}, 2: {V: 2, ID: "shop", Meta: meta}},
		}
	}
	over := under(map[string]string{redisacl.MetaStrategy: "two-passwords"})
	delete(over.Live, 1)
	over.Gone = map[rotation.Version]rotation.Tombstone{1: {ID: "shop"}}
	over.Editions = []rotation.Edition{{N: 1, View: rotation.View{Active: 2, Accept: []rotation.Version{2}}}}
	for name, c := range map[string]struct {
		rec   rotation.Record
		login string
		want  bool
	}{
		"a user of its own":                      {rotation.Record{Current: rotation.Credential{ID: "shop"}}, "", false},
		"default":                                {rotation.Record{Current: rotation.Credential{ID: "default"}}, "", true},
		"a name that stands outside the Secret":  {rotation.Record{Current: rotation.Credential{ID: "shop"}}, "shop", true},
		"begun with two passwords":               {under(map[string]string{redisacl.MetaStrategy: "two-passwords"}), "", true},
		"begun with another user":                {under(nil), "shop", false},
		"two passwords, over, and another since": {over, "", false},
	} {
		if got := stays(c.rec, config.Target{Secret: config.Secret{Login: c.login}}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Connections that were opened with a leaked password end with it, unless the operator says otherwise; then the end of the run says so.
func TestConnectionsOfALeakedPasswordEndUnlessTheOperatorWaits(t *testing.T) {
	for in, want := range map[struct{ terminate, leaked, wait bool }]bool{
		{}: false, {terminate: true}: true, {leaked: true}: true, {leaked: true, wait: true}: false,
	} {
		if got := (opening{terminate: in.terminate, leaked: in.leaked, wait: in.wait}).endsAll(); got != want {
			t.Errorf("%+v: %v", in, got)
		}
	}
}
