package wiring

import (
	"testing"
	"time"
)

// The password of a new login is valid for longer than it takes the target to count as due, by a week at least.
func TestPasswordOutlivesTheInterval(t *testing.T) {
	const day = 24 * time.Hour
	for interval, want := range map[time.Duration]time.Duration{0: 0, day: 8 * day, 30 * day: 37*day + 12*time.Hour, 100 * day: 125 * day} {
		if got := validFor(interval); got != want {
			t.Errorf("with an interval of %v it is valid for %v, want %v", interval, got, want)
		}
	}
}
