package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/notify"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// failing has a run go as far as to a pod that crashes, and says another secret in doing so.
func failing(t *testing.T, o *opened) (onTheTerminal string) {
	t.Helper()
	client := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}})
	o.clients.Kube, o.target.Secret.Name, o.target.Name = client, "orders", "orders"
	o.Now = func() time.Time { return noon }
	var screen strings.Builder
	g := newGlobal(Streams{Err: &screen}.filled())
	o.say = g.say
	failed := &rotation.FailedError{Step: "rollout", State: rotation.State{Phase: rotation.Failed, Items: []rotation.Item{
		{Name: "pod/orders-1", Phase: rotation.Failed, Note: "CrashLoopBackOff: exit code 1: " + rotation.Said("cannot log in with STRIPE_KEY=sk_live_1")},
	}}}
	front := g.frontend(o, rotation.Want{}, request{runFlags: runFlags{yes: true}})
	front, ended := g.kept(o, front)
	front, told := g.telling(t.Context(), o, front)
	for _, e := range []rotation.Event{
		{Step: "begin", State: rotation.Applying}, {Step: "begin", State: rotation.Done}, {Step: "rollout", State: rotation.Applying},
		{Step: "rollout", State: rotation.Waiting, Note: failed.State.Items[0].Note}, {Step: "rollout", State: rotation.Failed, Items: failed.State.Items, Note: failed.State.Items[0].Note},
	} {
		e.Time, e.Target, e.From, e.To, e.Attempt, e.Started = noon, "orders", 1, 2, 1, e.Step != "begin" || e.State == rotation.Done
		front.emit(e)
	}
	ended(t.Context(), rotation.Result{}, failed)
	told(rotation.Result{}, failed)
	complain(g, failed)
	return screen.String()
}

// What a pod has written can be anything. It leaves the operator's terminal only for those that the configuration lists.
func TestWhatPodsWriteGoesNowhereByItself(t *testing.T) {
	all := []string{config.OutputNotify, config.OutputGrafana, config.OutputEvents, config.OutputHistory}
	for _, listed := range append([][]string{nil, all}, []string{config.OutputNotify}, []string{config.OutputGrafana}, []string{config.OutputEvents}, []string{config.OutputHistory}) {
		o := somewhere()
		o.target.PodOutput = listed
		var mu sync.Mutex
		heard := map[string]string{}
		for _, as := range all[:3] {
			o.tellers = append(o.tellers, teller{as, as, func(_ context.Context, m notify.Message) error {
				mu.Lock()
				defer mu.Unlock()
				text, err := json.Marshal(m)
				heard[as] += string(text) + m.Text()
				return err
			}})
		}
		if screen := failing(t, o); !strings.Contains(screen, "sk_live_1") {
			t.Fatalf("the operator does not see it: %s", screen)
		}
		kept, err := o.clients.Kube.CoreV1().ConfigMaps("shop").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(kept.Items) != 1 {
			t.Fatalf("no history: %v, %v", kept, err)
		}
		heard[config.OutputHistory] = fmt.Sprint(kept.Items[0].Data)
		for _, whom := range all {
			text, may := heard[whom], slices.Contains(listed, whom)
			if strings.Contains(text, "sk_live_1") != may || strings.Contains(text, "output withheld") == may || !strings.Contains(text, "CrashLoopBackOff: exit code 1") {
				t.Errorf("podOutput %v: %s heard: %s", listed, whom, text)
			}
		}
	}
}
