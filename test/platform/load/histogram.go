package load

import (
	"math"
	"time"
)

const (
	smallest = 100 * time.Microsecond // the first bucket ends here
	growth   = 1.02                   // each bucket ends 2% above the one before: the error of a percentile
	buckets  = 700                    // up to about 100 s
)

// histogram counts latencies in a fixed amount of memory, whatever the length of the run.
type histogram struct {
	counts [buckets]int
	total  int
	max    time.Duration
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
	h.max = max(h.max, d)
}

func bucketOf(d time.Duration) int {
	if d <= smallest {
		return 0
	}
	n := math.Ceil(math.Log(float64(d)/float64(smallest)) / math.Log(growth))
	return min(int(n), buckets-1)
}

// percentile gives a latency that p percent of the requests did not exceed, at most 2% too high; zero if there were none.
func (h *histogram) percentile(p float64) time.Duration {
	rank := int(math.Ceil(p / 100 * float64(h.total)))
	seen := 0
	for i, n := range h.counts {
		seen += n
		if n > 0 && seen >= rank {
			end := time.Duration(float64(smallest) * math.Pow(growth, float64(i)))
			return min(end, h.max)
		}
	}
	return 0
}
