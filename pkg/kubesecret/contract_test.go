package kubesecret

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger/ledgertest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

func TestContract(t *testing.T) {
	rotationtest.Store(t, func(t *testing.T) rotationtest.StoreFixture {
		_, client := serve(t, appSecret())
		return contractFixture(newStore(client.CoreV1()), client.CoreV1())
	})
}

// A ledger alone has a Secret to itself of which no rotation writes the data, as with a certificate.
func TestLedgerContract(t *testing.T) {
	rotationtest.Ledger(t, func(t *testing.T) rotationtest.LedgerFixture {
		_, client := serve(t, appSecret())
		return rotationtest.LedgerFixture{Ledger: &ledger.Ledger{Secrets: client.CoreV1(), Namespace: "default", Name: name}}
	})
}

// The contract of a place, for each kind of object and for what it holds or shows.
func TestPlaceContract(t *testing.T) {
	first := rotation.Credential{V: 1, ID: "backend", Value: rotation.NewSecret([]byte("value-of-v1"))}
	live := map[rotation.Version]rotation.Credential{1: first, 2: v2()}
	holder := func(s *apiServer) ledgertest.PlaceFixture {
		return ledgertest.PlaceFixture{
			Live: live,
			Versions: func(t *testing.T) (all []rotation.Version) {
				c, err := parse(s.get(reports).Data)
				must(t, err)
				for v := range live {
					if live[v].Same(c) {
						all = append(all, v)
					}
				}
				return all
			},
			Edit: func(*testing.T) {
				s.change(reports, func(secret *corev1.Secret) { secret.Data["password"] = []byte("by hand") })
			},
		}
	}
	shower := func(s *apiServer) ledgertest.PlaceFixture {
		return ledgertest.PlaceFixture{
			Live: live,
			Versions: func(*testing.T) (all []rotation.Version) {
				for _, v := range versions(live) {
					if slices.Contains(strings.Fields(s.shown()), live[v].ID) {
						all = append(all, v)
					}
				}
				return all
			},
			Edit: func(*testing.T) {
				s.change(board, func(secret *corev1.Secret) { secret.Data["ids"] = []byte("partner backend") })
			},
		}
	}
	for _, c := range []struct {
		name string
		open func(s *apiServer, client corev1client.CoreV1Interface) ledgertest.PlaceFixture
	}{
		{"a Secret with the credential", func(s *apiServer, client corev1client.CoreV1Interface) ledgertest.PlaceFixture {
			f := holder(s)
			f.Place = Secret{Secrets: client, Namespace: "default", Name: reports, Content: login()}
			return f
		}},
		{"a Secret that shows what to accept", func(s *apiServer, client corev1client.CoreV1Interface) ledgertest.PlaceFixture {
			f := shower(s)
			f.Place = Secret{Secrets: client, Namespace: "default", Name: board, Content: boardContent()}
			return f
		}},
		{"a ConfigMap that shows what to accept", func(s *apiServer, client corev1client.CoreV1Interface) ledgertest.PlaceFixture {
			f := shower(s)
			f.Place = ConfigMap{ConfigMaps: client, Namespace: "default", Name: board, Content: boardContent()}
			return f
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ledgertest.Place(t, func(t *testing.T) ledgertest.PlaceFixture {
				server, client := serve(t, reportsSecret(), boardSecret())
				return c.open(server, client.CoreV1())
			})
		})
	}
}

func TestContractOnCluster(t *testing.T) {
	client := cluster(t)
	rotationtest.Store(t, func(t *testing.T) rotationtest.StoreFixture {
		s := newStore(client.CoreV1())
		s.Namespace = namespace(t, client)
		secret := appSecret()
		secret.Namespace = s.Namespace
		_, err := client.CoreV1().Secrets(s.Namespace).Create(t.Context(), secret, metav1.CreateOptions{FieldManager: "kubectl-create"})
		must(t, err)
		return contractFixture(s, client.CoreV1())
	})
}

func contractFixture(s *Store, secrets corev1client.SecretsGetter) rotationtest.StoreFixture {
	get := func(t *testing.T) *corev1.Secret {
		t.Helper()
		found, err := secrets.Secrets(s.Namespace).Get(t.Context(), name, metav1.GetOptions{})
		must(t, err)
		return found
	}
	return rotationtest.StoreFixture{
		Store: s,
		Read: func(t *testing.T) rotation.Credential {
			c, err := parse(get(t).Data)
			must(t, err)
			return c
		},
		Edit: func(t *testing.T) {
			edited := get(t)
			edited.Data["password"] = []byte("by hand")
			_, err := secrets.Secrets(s.Namespace).Update(t.Context(), edited, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
			must(t, err)
		},
	}
}
