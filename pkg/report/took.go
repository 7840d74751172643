package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// shown is the shortest time that is worth showing: less would read as 0.0s.
const shown = 50 * time.Millisecond

// Took is how long something took, for people: tenths below ten seconds, as kubectl does above.
func Took(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return duration.HumanDuration(d)
}
