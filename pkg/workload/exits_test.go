package workload

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A pod's end is what its kubelet reported, to the end of that second; one that is gone without a report has none.
func TestExitsAreWhatKubeletsReport(t *testing.T) {
	over := func(p *corev1.Pod) {
		at := after(time.Minute)
		p.DeletionTimestamp = &at
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: after(time.Second), FinishedAt: after(62 * time.Second)}}
		}
	}
	for _, c := range []struct {
		name string
		then []*corev1.Pod // as the watch tells it
		gone bool          // and then it is deleted
		want rotation.Exit
	}{
		{"it runs", nil, false, rotation.Exit{}},
		{"it has ended", []*corev1.Pod{newPod(over)}, false, rotation.Exit{Ended: start.Add(63 * time.Second)}},
		{"it has ended and is gone", []*corev1.Pod{newPod(over)}, true, rotation.Exit{Ended: start.Add(63 * time.Second), Gone: true}},
		{"it is gone, and nobody has said that it ended", nil, true, rotation.Exit{Gone: true}},
		{"somebody else says that it has failed", []*corev1.Pod{newPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })}, false, rotation.Exit{Gone: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newExits(&Consumers{Secret: secret, Now: func() time.Time { return start.Add(time.Minute) }})
			e.saw(newPod(), false)
			last := newPod()
			for _, p := range c.then {
				e.saw(p, false)
				last = p
			}
			if c.gone {
				e.saw(last, true)
			}
			all := e.all()
			if len(all) != 1 || !all[0].Ended.Equal(c.want.Ended) || all[0].Gone != c.want.Gone || all[0].Edition != 3 {
				t.Errorf("seen: %+v, want %+v", all, c.want)
			}
		})
	}
}

// What was over before anybody looked, and what does not read the Secret, is no matter; what went while nobody watched is gone.
func TestExitsOfWhatWasNotWatched(t *testing.T) {
	e := newExits(&Consumers{Secret: secret})
	e.saw(newPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), false)
	e.saw(newPod(func(p *corev1.Pod) { p.UID, p.Spec.Containers[0].EnvFrom = "2", nil }), false)
	if all := e.all(); len(all) != 0 {
		t.Errorf("seen: %+v", all)
	}
	e.saw(newPod(), false)
	e.missing(nil)
	if all := e.all(); len(all) != 1 || !all[0].Gone || !all[0].Ended.IsZero() {
		t.Errorf("seen: %+v, want one that is gone", all)
	}
}
