package deploy

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// secretData makes the data of a Secret; it is asked only when there is none yet.
type secretData func() (map[string]string, error)

// ensureSecrets makes the Secrets that are missing, with new random values, and leaves the others alone: what a
// rotation has changed stays changed.
func (p *Platform) ensureSecrets(ctx context.Context) error {
	for _, s := range []struct {
		name string
		data secretData
	}{
		{"postgresql-admin", one("postgres-password")},
		{"redis-admin", one("password")},
		{"postgresql-credentials", postgresqlCredentials},
		{"redis-credentials", redisCredentials},
		{"jwt-keys", jwtKeys},
		{"postgresql-init", p.postgresqlInit(ctx)},
		{"redis-init", p.redisInit(ctx)},
	} {
		if err := p.ensureSecret(ctx, s.name, s.data); err != nil {
			return fmt.Errorf("secret %s/%s: %w", p.Namespace, s.name, err)
		}
	}
	return nil
}

func (p *Platform) ensureSecret(ctx context.Context, name string, make secretData) error {
	secrets := p.client.CoreV1().Secrets(p.Namespace)
	_, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	data, err := make()
	if err != nil {
		return err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{partOf: platformName}},
		Data:       bytesOf(data),
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func bytesOf(data map[string]string) map[string][]byte {
	out := make(map[string][]byte, len(data))
	for key, value := range data {
		out[key] = []byte(value)
	}
	return out
}

func one(key string) secretData {
	return func() (map[string]string, error) { return map[string]string{key: password()}, nil }
}

func postgresqlCredentials() (map[string]string, error) {
	p := password()
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(login, p),
		Host: "postgresql:5432", Path: "/demo-platform", RawQuery: "sslmode=disable",
	}
	return map[string]string{"username": login, "password": p, "DATABASE_URL": dsn.String()}, nil
}

func redisCredentials() (map[string]string, error) {
	p := password()
	dsn := url.URL{Scheme: "redis", User: url.UserPassword(login, p), Host: "redis:6379", Path: "/0"}
	return map[string]string{"username": login, "password": p, "REDIS_URL": dsn.String()}, nil
}

// jwtKeys gives the first signing key: 64 random bytes, as in the runbook, on one line.
func jwtKeys() (map[string]string, error) {
	key := make([]byte, 64)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	return map[string]string{
		"jwt-secret-v1": base64.StdEncoding.EncodeToString(key),
		"active-key":    "jwt-secret-v1",
	}, nil
}

// postgresqlInit gives what the database server makes the service's login from at its first start. It is a Secret of
// its own, so that the server does not count among the readers of postgresql-credentials.
func (p *Platform) postgresqlInit(ctx context.Context) secretData {
	return func() (map[string]string, error) {
		password, err := p.SecretValue(ctx, "postgresql-credentials", "password")
		if err != nil {
			return nil, err
		}
		verifier, err := scramVerifier(password)
		return map[string]string{"backend-verifier": verifier}, err
	}
}

// redisInit gives the first ACL file. The service's rules are the runbook's, put right: channels need &, not ~, and
// -@all has to come before what is allowed. It may ping too, which tells it that the connection lives,
// and read keys where there is a replica.
func (p *Platform) redisInit(ctx context.Context) secretData {
	return func() (map[string]string, error) {
		admin, err := p.SecretValue(ctx, "redis-admin", "password")
		if err != nil {
			return nil, err
		}
		service, err := p.SecretValue(ctx, "redis-credentials", "password")
		if err != nil {
			return nil, err
		}
		more := ""
		if p.options.RedisNodes > 1 {
			more = " +get"
		}
		return map[string]string{"users.acl": fmt.Sprintf(
			"user default on #%s ~* &* +@all\nuser %s on #%s ~config:* resetchannels &config:* -@all +subscribe +ping%s\n",
			hash(admin), login, hash(service), more,
		)}, nil
	}
}

// SecretValue reads one key of a Secret of the platform, such as postgres-password of postgresql-admin.
func (p *Platform) SecretValue(ctx context.Context, name, key string) (string, error) {
	s, err := p.client.CoreV1().Secrets(p.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading secret %s/%s: %w", p.Namespace, name, err)
	}
	value, ok := s.Data[key]
	if !ok {
		return "", fmt.Errorf("secret %s/%s has no key %q", p.Namespace, name, key)
	}
	return string(value), nil
}

// password gives 52 letters and digits with 260 random bits.
func password() string { return rand.Text() + rand.Text() }

func hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}
