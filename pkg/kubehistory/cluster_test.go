package kubehistory

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// On a real API server: six runs that write at once lose nothing of each other.
func TestRunsThatWriteAtOnceLoseNothing(t *testing.T) {
	path := os.Getenv("KUBECTL_ROTATE_KUBECONFIG")
	if path == "" {
		t.Skip("KUBECTL_ROTATE_KUBECONFIG names no cluster: see `make e2e`")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	must(t, err)
	config.QPS, config.Burst = 200, 400
	client := kubernetes.NewForConfigOrDie(config)
	ns := fmt.Sprintf("history-%x", time.Now().UnixNano()&0xffffff)
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() { _ = client.CoreV1().Namespaces().Delete(context.Background(), ns, metav1.DeleteOptions{}) })

	const runs, writes = 6, 5
	var all sync.WaitGroup
	for i := range runs {
		all.Go(func() {
			s := &Store{ConfigMaps: client.CoreV1(), Namespace: ns, Secret: "postgresql-credentials"}
			for j := range writes {
				for s.Put(t.Context(), entry(j+1, fmt.Sprint("run-", i), fmt.Sprint("user-", i))) != nil {
					if t.Context().Err() != nil { // it gives up after some conflicts; the next news tells it again
						return
					}
				}
			}
		})
	}
	all.Wait()
	got, err := (&Store{ConfigMaps: client.CoreV1(), Namespace: ns, Secret: "postgresql-credentials"}).Load(t.Context())
	must(t, err)
	if len(got) != writes {
		t.Fatalf("%d entries", len(got))
	}
	for _, e := range got {
		if len(e.Runs) != runs {
			t.Errorf("%s has %d runs", e.Key(), len(e.Runs))
		}
	}
}
