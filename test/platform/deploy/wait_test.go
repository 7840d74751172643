package deploy

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDeploymentIsSettledOnlyWithoutOldPods(t *testing.T) {
	three := int32(3)
	whole := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3}
	updating, unavailable, unseen := whole, whole, whole
	updating.UpdatedReplicas, unavailable.AvailableReplicas, unseen.ObservedGeneration = 2, 2, 1
	tests := []struct {
		name    string
		status  appsv1.DeploymentStatus
		pods    int
		settled bool
		note    string
	}{
		{"whole", whole, 3, true, "3/3"},
		{"an old pod is ending", whole, 4, false, "3/3 (1 old)"},
		{"updating", updating, 4, false, "2/3 (2 old)"},
		{"not available", unavailable, 3, false, "2/3"},
		{"change not seen by the controller", unseen, 3, false, "not looked at yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := deployment(&appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "backend", Generation: 2},
				Spec:       appsv1.DeploymentSpec{Replicas: &three}, Status: tt.status,
			}, tt.pods)
			if want := (part{"backend", tt.settled, tt.note}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

func TestStatefulSetIsSettledOnItsNewestRevision(t *testing.T) {
	one := int32(1)
	s := appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "redis", Generation: 1},
		Spec:       appsv1.StatefulSetSpec{Replicas: &one},
		Status: appsv1.StatefulSetStatus{
			ObservedGeneration: 1, ReadyReplicas: 1, CurrentRevision: "a", UpdateRevision: "b",
		},
	}
	if statefulSet(&s).settled {
		t.Error("settled though its pod is of an older revision")
	}
	s.Status.CurrentRevision = "b"
	if got := statefulSet(&s); !got.settled || got.note != "1/1" {
		t.Errorf("%+v, want settled at 1/1", got)
	}
}

func TestDescribeIsSettledWhenAllAre(t *testing.T) {
	line, settled := describe([]part{{"postgresql", true, "1/1"}, {"backend", false, "2/3"}})
	if line != "postgresql 1/1, backend 2/3" || settled {
		t.Errorf("%q, settled %v", line, settled)
	}
	if _, settled := describe([]part{{"postgresql", true, "1/1"}}); !settled {
		t.Error("not settled though all parts are")
	}
}
