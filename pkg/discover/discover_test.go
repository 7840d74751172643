package discover

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

var update = flag.Bool("update", false, "write the golden files anew")

// kinds are two that differ in all that tells one from another.
var kinds = []Kind{
	{
		Kind: config.KindPostgres, Port: 5432, Image: regexp.MustCompile(`postgres|timescale`), Scheme: regexp.MustCompile(`^postgres:`),
		Name: regexp.MustCompile(`postgres|db`), Layout: laid,
		Lead: func(t *config.Target, pod, database string) {
			t.Postgres = &config.Postgres{Pod: pod, Database: database}
		},
	},
	{
		Kind: config.KindRedis, Port: 6379, Image: regexp.MustCompile(`redis|valkey`), Scheme: regexp.MustCompile(`^redis:`),
		Name: regexp.MustCompile(`redis|cache`), Nameless: true, Layout: laid,
		Lead: func(t *config.Target, pod, _ string) { t.Redis = &config.Redis{Pod: pod} },
	},
}

func laid(s config.Secret) secretdata.Layout {
	return secretdata.Layout{Username: s.Username, Password: s.Password, DSN: s.DSN}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID(name)}
}

func databasePod(name, set, image string) *corev1.Pod {
	yes := true
	p := &corev1.Pod{ObjectMeta: meta(name), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "server", Image: image}}}}
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: set, UID: types.UID(set), Controller: &yes}}
	return p
}

func secretOf(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: meta(name), Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

// reading is a Deployment whose container takes all of some Secrets into its environment.
func reading(name string, secrets ...string) *appsv1.Deployment {
	c := corev1.Container{Name: "app", Image: "registry.example/app:1"}
	for _, s := range secrets {
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: s}}})
	}
	d := &appsv1.Deployment{ObjectMeta: meta(name)}
	d.Spec.Template.Spec.Containers = []corev1.Container{c}
	return d
}

func drafted(t *testing.T, objects ...runtime.Object) []config.Draft {
	t.Helper()
	d, err := In(t.Context(), fake.NewClientset(objects...), "shop", kinds)
	if err != nil {
		t.Fatal(err)
	}
	return d.Drafts()
}

func TestWhatIsFoundInANamespaceBecomesAFile(t *testing.T) {
	set := &appsv1.StatefulSet{ObjectMeta: meta("orders-db")}
	set.Spec.Template.Spec.Containers = reading("", "orders-db-superuser").Spec.Template.Spec.Containers
	drafts := drafted(t,
		databasePod("orders-db-0", "orders-db", "docker.io/library/postgres:16"), databasePod("orders-db-1", "orders-db", "docker.io/library/postgres:16"),
		databasePod("reports-0", "reports", "timescale/timescaledb:latest-pg16"),
		databasePod("pooler-0", "pooler", "bitnami/pgbouncer:1"), databasePod("exporter-0", "exporter", "postgres-exporter:1"),
		databasePod("redis-0", "redis", "valkey/valkey:8"), secretOf("redis-db", map[string]string{"username": "orders", "password": "geheim6"}),
		set,
		secretOf("orders-db-superuser", map[string]string{"username": "postgres", "password": "geheim1"}),
		secretOf("orders-login", map[string]string{"username": "orders", "password": "geheim2", "url": "postgres://orders:geheim2@orders-db.shop:5432/orders"}),
		secretOf("reports", map[string]string{"DATABASE_URL": "postgres://reports:geheim3@db.example.com/reports?sslmode=require"}),
		secretOf("unrelated", map[string]string{"username": "smtp", "password": "geheim4"}),
		secretOf("not-read-db", map[string]string{"username": "x", "password": "geheim5"}),
		secretOf("token-keys", map[string]string{"signing-3": "geheim7", "signing-4": "geheim8", "signing": "signing-4\n"}),
		secretOf("gateway", map[string]string{"JWT_SECRET_KEY": "geheim9", "LEVEL": "info"}),
		reading("gateway", "gateway", "token-keys"),
		reading("backend", "orders-login", "unrelated", "redis-db"), reading("worker", "orders-login"), reading("report", "reports"),
	)
	text, err := config.DraftFile(drafts, "What was found.", "Every field: `kubectl rotate config view`.")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/init.yaml", string(text))
	if _, err := config.ParseTenants("configmap/"+config.ConfigMapName, text, "shop"); err != nil {
		t.Errorf("it cannot be kept in a ConfigMap of its namespace: %v", err)
	}
	if _, err := config.Parse("init", text); err != nil {
		t.Error(err)
	}
}

// Whoever reads a Secret in one of the many ways there are is found by `config init` and by a rotation alike.
func TestReadersAreThoseOfARotation(t *testing.T) {
	const name = "app-db"
	ref := &corev1.LocalObjectReference{Name: name}
	mounting := func(source corev1.VolumeSource) corev1.PodSpec {
		return corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}, Volumes: []corev1.Volume{{Name: "v", VolumeSource: source}}}
	}
	with := func(c corev1.Container) corev1.PodSpec { return corev1.PodSpec{Containers: []corev1.Container{c}} }
	variable := corev1.Container{Name: "app", Env: []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: *ref, Key: "password"}}}}}
	objects := []runtime.Object{secretOf(name, map[string]string{"username": "app", "password": "geheim"}), reading("env-from", name), reading("other", "settings")}
	for workload, spec := range map[string]corev1.PodSpec{
		"variable": with(variable), "init": {InitContainers: []corev1.Container{variable}},
		"pull":      {ImagePullSecrets: []corev1.LocalObjectReference{*ref}},
		"volume":    mounting(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}),
		"csi":       mounting(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: ref}}),
		"azure":     mounting(corev1.VolumeSource{AzureFile: &corev1.AzureFileVolumeSource{SecretName: name}}),
		"projected": mounting(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: *ref}}}}}),
	} {
		d := &appsv1.Deployment{ObjectMeta: meta(workload)}
		d.Spec.Template.Spec = spec
		objects = append(objects, d)
	}
	alone := &corev1.Pod{ObjectMeta: meta("alone"), Spec: with(variable)}
	debugged := &corev1.Pod{ObjectMeta: meta("debugged"), Spec: corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{
		{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Env: variable.Env}}}}}
	run := databasePod("migrate-x", "migrate", "app:1")
	run.OwnerReferences[0].APIVersion, run.OwnerReferences[0].Kind, run.Spec = "batch/v1", "Job", with(variable)
	client := fake.NewClientset(append(objects, alone, debugged, run)...)

	consumers := workload.Consumers{Client: client, Namespace: "shop", Secret: name}
	all, err := consumers.Workloads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, w := range all {
		want = append(want, w.Name)
	}
	d, err := In(t.Context(), client, "shop", kinds)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, d.readers(name, nil)); diff != "" || len(want) != 11 {
		t.Errorf("%d readers (-of a rotation +of config init):\n%s", len(want), diff)
	}
}

func TestNothingToRotateIsNoFile(t *testing.T) {
	if got := drafted(t, reading("backend", "settings"), secretOf("settings", map[string]string{"LEVEL": "info"})); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
}

// On the runbook's own layout the defaults are found, under the defaults' name.
func TestTheRunbooksLayoutIsFoundUnderItsName(t *testing.T) {
	drafts := drafted(t, databasePod("postgresql-0", "postgresql", "postgres:15"), reading("backend", "postgresql-credentials", "jwt-keys"),
		secretOf("postgresql-credentials", map[string]string{"username": "backend", "password": "geheim"}),
		secretOf("jwt-keys", map[string]string{"jwt-secret-v1": "geheim", "jwt-secret-v2": "geheim", "active-key": "jwt-secret-v2"}))
	if len(drafts) != 2 || drafts[1].Target.Name != "jwt" || *drafts[1].Target.JWT != (config.JWT{Active: "active-key", Prefix: "jwt-secret-v"}) {
		t.Errorf("got %+v", drafts)
	}
	if drafts[0].Target.Name != "postgres" || drafts[0].Target.Secret.Name != "postgresql-credentials" || drafts[0].Target.Postgres.Pod != "postgresql-0" {
		t.Errorf("got %+v", drafts)
	}
}

// A Secret with all that an application has is common; names of Secrets are longer, and may have dots.
func TestWhateverIsFoundMakesAValidFile(t *testing.T) {
	long := strings.Repeat("long-", 15) + "db"
	drafts := drafted(t, databasePod("pg-0", "pg", "postgres:16"), databasePod("redis-0", "redis", "redis:7"),
		secretOf("app-env", map[string]string{"DATABASE_URL": "postgres://app:geheim@pg/app", "REDIS_URL": "redis://app:geheim@redis:6379", "JWT_SECRET": "geheim"}),
		secretOf(long, map[string]string{"username": "a", "password": "geheim"}), secretOf(long+"-2", map[string]string{"username": "b", "password": "geheim"}),
		secretOf("a.db", map[string]string{"username": "c", "password": "geheim"}), secretOf("a-db", map[string]string{"username": "d", "password": "geheim"}),
		reading("app", "app-env", long, long+"-2", "a.db", "a-db"))
	text, err := config.DraftFile(drafts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("init", text); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for _, want := range []string{"kind redis in the same", "kind jwt in the same", "name: a-db-2"} {
		if !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(string(text), "#", "")), " "), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
