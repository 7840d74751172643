package load

import (
	"testing"
	"time"
)

func TestPercentilesAreAtMostTwoPercentTooHigh(t *testing.T) {
	var h histogram
	for i := 1; i <= 1000; i++ {
		h.add(time.Duration(i) * time.Millisecond)
	}
	for _, p := range []float64{1, 50, 90, 99, 100} {
		exact := time.Duration(p*10) * time.Millisecond
		got := h.percentile(p)
		if got < exact || float64(got) > 1.02*float64(exact) {
			t.Errorf("p%v = %v, want from %v to 2%% above", p, got, exact)
		}
	}
}

func TestHistogramAtItsEnds(t *testing.T) {
	var empty histogram
	if got := empty.percentile(99); got != 0 {
		t.Errorf("p99 of nothing = %v, want 0", got)
	}
	var h histogram
	h.add(0)
	h.add(time.Hour) // beyond the last bucket
	if got := h.percentile(50); got > smallest {
		t.Errorf("p50 = %v, want at most %v", got, smallest)
	}
	if h.max != time.Hour || h.total != 2 {
		t.Errorf("max %v of %d, want 1h of 2", h.max, h.total)
	}
}
