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
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/notify"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failing has a run go as far as to a pod that crashes, and says another secret in doing so.
func failing(t *testing.T, o *wiring.Opened) (onTheTerminal string) {
	t.Helper()
	client := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}})
	o.Clients.Kube, o.Config.Secret.Name, o.Config.Name = client, "orders", "orders"
	o.Now = func() time.Time { return noon }
	var screen strings.Builder
	g := newGlobal(Streams{Err: &screen}.filled())
	o.Say = g.say
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
		o.Config.PodOutput = listed
		var mu sync.Mutex
		heard := map[string]string{}
		for _, as := range all[:3] {
			o.Tellers = append(o.Tellers, wiring.Teller{Name: as, As: as, Tell: func(_ context.Context, m notify.Message) error {
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
		kept, err := o.Clients.Kube.CoreV1().ConfigMaps("shop").List(t.Context(), metav1.ListOptions{})
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

// told is a run of these events, and what others were told of it.
func told(t *testing.T, events []rotation.Event, r rotation.Result, err error) (all []notify.Message) {
	t.Helper()
	heard := make(chan notify.Message, 10)
	o := &wiring.Opened{
		Rotation: rotation.Rotation{Target: "orders", Setup: rotation.Setup{Environment: rotation.Environment{Now: time.Now}}},
		Clients:  &kube.Clients{Context: "prod", Namespace: "shop"}, Namespace: "shop", Operator: "alice",
		Tellers: []wiring.Teller{{Name: "test", As: config.OutputNotify, Tell: func(_ context.Context, m notify.Message) error {
			heard <- m
			return nil
		}}},
		Say: func(format string, args ...any) { t.Logf(format, args...) },
	}
	g := &global{}
	front, ended := g.telling(context.Background(), o, frontend{emit: func(rotation.Event) {}})
	for _, e := range events {
		e.From, e.To, e.Attempt, e.Started = 1, 2, 1, e.Step != "begin" || e.State == rotation.Done
		front.emit(e)
	}
	ended(r, err)
	close(heard)
	for m := range heard {
		all = append(all, m)
	}
	return all
}

func TestOthersAreToldOfBeginningAndEnd(t *testing.T) {
	begin := []rotation.Event{{Step: "begin", State: rotation.ToDo}, {Step: "begin", State: rotation.Applying}, {Step: "begin", State: rotation.Done}}
	taken := &rotation.AbortedError{Cause: &rotation.FailedError{Step: "verify", State: rotation.State{Note: "0 of 1 gates passed"}}}
	stuck := &rotation.AbortedError{Cause: taken.Cause, Back: context.DeadlineExceeded}
	back := rotation.Intent{Back: true}
	for _, c := range []struct {
		name   string
		events []rotation.Event
		result rotation.Result
		err    error
		want   string
	}{
		{"done", begin, rotation.Result{Outcome: rotation.Finished}, nil, "begun finished"},
		{"it waits", begin, rotation.Result{Outcome: rotation.UnderWay}, nil, "begun"},
		{"gone on with", []rotation.Event{{Step: "begin", State: rotation.Done}, {Step: "revoke", State: rotation.Applying}}, rotation.Result{Outcome: rotation.Finished}, nil, "finished"},
		{"done already", []rotation.Event{{Step: "begin", State: rotation.Done}, {Step: "retire", State: rotation.Done}}, rotation.Result{Outcome: rotation.Finished}, nil, ""},
		{"refused", begin[:1], rotation.Result{}, rotation.Refuse(context.Canceled), ""},
		{"taken back by itself", begin, rotation.Result{Intent: back}, taken, "begun aborted"},
		{"that failed too", begin, rotation.Result{Intent: back}, stuck, "begun failed"},
		{"an abort", begin, rotation.Result{Intent: back, Outcome: rotation.Finished}, nil, "begun aborted"},
		{"left for an answer", begin, rotation.Result{}, rotation.ErrConsent, "begun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := map[notify.What]notify.Message{}
			for _, m := range told(t, c.events, c.result, c.err) {
				heard[m.What] = m
			}
			for what := range strings.FieldsSeq(c.want) {
				if m, ok := heard[notify.What(what)]; !ok || m.By != "alice" || m.To != 2 {
					t.Errorf("%s was not told: %v", what, heard)
				}
			}
			if len(heard) != len(strings.Fields(c.want)) {
				t.Errorf("told %v, want %q", heard, c.want)
			}
			if m := heard[notify.Aborted]; c.err != nil && m.What != "" && m.Note != "verify failed: 0 of 1 gates passed" {
				t.Errorf("the note is %q", m.Note)
			}
		})
	}
}

// That it is about a leak is told with everything that is.
func TestALeakIsToldAsOne(t *testing.T) {
	for _, m := range told(t, []rotation.Event{
		{Step: "begin", State: rotation.ToDo, Compromised: true}, {Step: "begin", State: rotation.Applying, Compromised: true},
		{Step: "begin", State: rotation.Done, Compromised: true},
	}, rotation.Result{Outcome: rotation.Finished}, nil) {
		if !m.Compromised {
			t.Errorf("%s is told without it", m.What)
		}
	}
}
