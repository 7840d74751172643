package status

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/jwtkeys"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// When a rotation under way counts as stuck: how long nobody may be at it, and how long nothing may come of it though
// somebody is. A soak is no delay.
const (
	aloneFor    = 15 * time.Minute
	nothingDone = time.Hour
)

// waitOf is how long a rotation of t waits for nothing but time: the soak, or until the last token has expired.
func waitOf(t config.Target) time.Duration {
	if t.JWT == nil || t.JWT.Leeway == nil {
		return t.Soak.Duration
	}
	return cmp.Or(t.JWT.Lifetime.Duration, jwtkeys.DefaultLifetime) + t.JWT.Leeway.Duration
}

// stuck is why the rotation under way does not go on by itself; "" where it does, or where there is none. It goes by what
// was written down, and by who has the Lease now.
func stuck(rec rotation.Record, s report.Status, wait time.Duration, now time.Time) string {
	if err := rec.Check(); err != nil {
		return err.Error()
	}
	if rec.Standby() || s.Phase == report.PhaseStandby {
		return ""
	}
	last := rec.Changed()
	for _, mark := range []string{rotation.MarkQuarantined, rotation.MarkIdle} {
		if at := rec.Marks[mark]; !at.IsZero() && last.Before(at.Add(wait)) {
			last = at.Add(wait)
		}
	}
	quiet := now.Sub(last)
	switch {
	case s.RunKnown && s.Run == nil && quiet > aloneFor:
		return fmt.Sprintf("nobody is at it, and nothing was done for %s", duration.HumanDuration(quiet))
	case quiet > nothingDone:
		by := "nobody knows who is at it"
		if s.Run != nil {
			by = s.Run.By + " is at it"
		}
		return fmt.Sprintf("%s, and nothing came of it for %s", by, duration.HumanDuration(quiet))
	}
	return ""
}
