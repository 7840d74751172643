package deploy

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func secretsOf(t *testing.T, p *Platform) map[string]map[string]string {
	t.Helper()
	list, err := p.client.CoreV1().Secrets(p.Namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for _, s := range list.Items {
		all[s.Name] = map[string]string{}
		for key, value := range s.Data {
			all[s.Name][key] = string(value)
		}
	}
	return all
}

func ensured(t *testing.T, p *Platform) map[string]map[string]string {
	t.Helper()
	if err := p.ensureSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	return secretsOf(t, p)
}

func newPlatform(existing ...*corev1.Secret) *Platform {
	client := fake.NewClientset()
	for _, s := range existing {
		_ = client.Tracker().Add(s)
	}
	return &Platform{Namespace: "demo", client: client}
}

func TestSecretsHaveTheRunbooksNamesAndKeys(t *testing.T) {
	got := ensured(t, newPlatform())
	c := got["postgresql-credentials"]
	dsn, err := url.Parse(c["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	inDSN, _ := dsn.User.Password()
	if dsn.User.Username() != c["username"] || inDSN != c["password"] || c["username"] != "backend" {
		t.Error("the connection string and the parts of postgresql-credentials differ")
	}
	dsn.User = nil
	if want := "postgres://postgresql:5432/demo-platform?sslmode=disable"; dsn.String() != want {
		t.Errorf("connection string without its user: %s, want %s", dsn, want)
	}
	key, err := base64.StdEncoding.DecodeString(got["jwt-keys"]["jwt-secret-v1"])
	if err != nil || len(key) != 64 || got["jwt-keys"]["active-key"] != "jwt-secret-v1" {
		t.Errorf("signing key of %d bytes (%v), active %q; want 64, jwt-secret-v1", len(key), err, got["jwt-keys"]["active-key"])
	}
	if !strings.HasPrefix(got["postgresql-init"]["backend-verifier"], "SCRAM-SHA-256$4096:") {
		t.Error("postgresql-init holds no SCRAM verifier")
	}
	if got["postgresql-admin"]["postgres-password"] == "" || got["redis-admin"]["password"] == "" {
		t.Error("an administrator has no password")
	}
}

func TestRedisUsersAreMadeFromHashes(t *testing.T) {
	got := ensured(t, newPlatform())
	users := got["redis-init"]["users.acl"]
	want := "user default on #" + hash(got["redis-admin"]["password"]) + " ~* &* +@all\n" +
		"user backend on #" + hash(got["redis-credentials"]["password"]) +
		" ~config:* resetchannels &config:* -@all +subscribe +ping\n"
	if diff := cmp.Diff(want, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}

// With a replica there is more to read than messages.
func TestRedisUserMayReadWhereThereIsAReplica(t *testing.T) {
	p := newPlatform()
	p.options.RedisNodes = 2
	if users := ensured(t, p)["redis-init"]["users.acl"]; !strings.Contains(users, "+subscribe +ping +get\n") {
		t.Errorf("users: %s", users)
	}
}

func TestExistingSecretsAreNeverChanged(t *testing.T) {
	p := newPlatform(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "postgresql-credentials", Namespace: "demo"},
		Data:       map[string][]byte{"username": []byte("backend_v2"), "password": []byte("rotated")},
	})
	first := ensured(t, p)
	want := map[string]string{"username": "backend_v2", "password": "rotated"}
	if diff := cmp.Diff(want, first["postgresql-credentials"]); diff != "" {
		t.Errorf("postgresql-credentials (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first, ensured(t, p)); diff != "" {
		t.Errorf("a second time changes the secrets (-first +second):\n%s", diff)
	}
}

func TestPasswordsAreLongAlphanumericAndDifferent(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := password()
		if len(p) < 43 || strings.Trim(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || seen[p] {
			t.Fatalf("password of %d characters: too short, not alphanumeric, or seen before", len(p))
		}
		seen[p] = true
	}
}
