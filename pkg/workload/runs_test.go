package workload

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
)

func TestNextRun(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	yes, berlin := true, "Europe/Berlin"
	for _, c := range []struct {
		name string
		spec batchv1.CronJobSpec
		want time.Time
	}{
		{"every night", batchv1.CronJobSpec{Schedule: "0 3 * * *"}, time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)},
		{"in a zone", batchv1.CronJobSpec{Schedule: "0 3 * * *", TimeZone: &berlin}, time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)},
		{"by a word", batchv1.CronJobSpec{Schedule: "@hourly"}, now.Add(time.Hour)},
		{"suspended", batchv1.CronJobSpec{Schedule: "@hourly", Suspend: &yes}, time.Time{}},
		{"not understood", batchv1.CronJobSpec{Schedule: "sometimes"}, time.Time{}},
	} {
		if got := nextRun(c.spec, now); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
