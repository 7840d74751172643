package history

import (
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// lately is how many rotations say how long a step takes.
const lately = 5

// Expected is how long each step usually takes: the median of the last ones that finished, of ways back where back is
// true, else of rotations. A step that none of them had to do anything about is not in it; nor is begin, which lasts as
// long as somebody thinks.
func Expected(stories []Story, back bool) map[string]time.Duration {
	times := map[string][]time.Duration{}
	seen := 0
	for _, s := range slices.Backward(stories) {
		if s.Outcome != Finished || s.Back != back || s.Compromised || seen == lately {
			continue
		}
		seen++
		for _, step := range s.Steps {
			if step.Done && step.Took > 0 && step.Name != rotation.StepBegin {
				times[step.Name] = append(times[step.Name], step.Took.Duration())
			}
		}
	}
	usual := map[string]time.Duration{}
	for step, all := range times {
		usual[step] = median(all)
	}
	return usual
}

// median is the middle one; of an even number the mean of the two in the middle.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}
