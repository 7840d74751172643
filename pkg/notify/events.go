package notify

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Events are the events of the application's Secret, which `kubectl describe` shows. To create them takes a permission.
type Events struct {
	Client    corev1client.EventsGetter
	Namespace string
	Secret    string
}

// reasons are how events name what has happened.
var reasons = map[What]string{Begun: "RotationBegun", Finished: "RotationFinished", Aborted: "RotationAborted", Failed: "RotationFailed"}

// mostInEvent is how long the API server lets an event's message be.
const mostInEvent = 1024

// Tell creates an event. The time is m's, the API server's clock.
func (e Events) Tell(ctx context.Context, m Message) error {
	kind, at := corev1.EventTypeNormal, metav1.NewTime(m.Time)
	if m.What == Failed || m.What == Aborted {
		kind = corev1.EventTypeWarning
	}
	_, err := e.Client.Events(e.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: e.Secret + ".", Namespace: e.Namespace},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: e.Namespace, Name: e.Secret},
		Reason:         reasons[m.What], Message: shortened(m.Text(), mostInEvent), Type: kind,
		Source:         corev1.EventSource{Component: "credential-rotation"},
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
	}, metav1.CreateOptions{FieldManager: "credential-rotation"})
	if err != nil {
		return fmt.Errorf("creating an event of secret %s/%s: %w", e.Namespace, e.Secret, err)
	}
	return nil
}
