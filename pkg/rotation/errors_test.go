package rotation

import "testing"

// The error of a failed step names what has failed, once: pods that only wait say nothing of why, and a workload repeats what its
// pods said.
func TestAFailureNamesWhatHasFailedOnce(t *testing.T) {
	err := &FailedError{Step: "rollout", State: State{Phase: Failed, Note: "1 of 3 pods on v2", Items: []Item{
		{Name: "pod/a", Phase: ToDo, Note: "old"},
		{Name: "pod/b", Phase: Failed, Note: "CrashLoopBackOff: no such login"},
		{Name: "deployment/backend", Phase: Failed, Note: "ProgressDeadlineExceeded; pod/b: CrashLoopBackOff: no such login"},
	}}}
	want := "rollout failed: 1 of 3 pods on v2; deployment/backend: ProgressDeadlineExceeded; pod/b: CrashLoopBackOff: no such login"
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	err.State.Items = err.State.Items[:1]
	if got, want := err.Error(), "rollout failed: 1 of 3 pods on v2; pod/a: old"; got != want {
		t.Errorf("where no item has failed: got %s, want %s", got, want)
	}
}
