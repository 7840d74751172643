package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Took is how long something took, for people: tenths below ten seconds, as kubectl does above.
func Took(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return duration.HumanDuration(d)
}
