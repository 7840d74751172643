package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Run is the next run of a CronJob that reads the Secret.
type Run struct {
	Name string    // "cronjob/report"
	Next time.Time // zero where it is suspended, or has a schedule that is not understood
}

// Runs are the next runs of the consumers that are CronJobs.
func (c *Consumers) Runs(ctx context.Context) (all []Run, err error) {
	err = pages(ctx, c, "cronjobs", c.Client.BatchV1().CronJobs(c.Namespace).List, func(l *batchv1.CronJobList) {
		for _, j := range l.Items {
			if c.reads(&j.Spec.JobTemplate.Spec.Template.Spec) {
				all = append(all, Run{"cronjob/" + j.Name, nextRun(j.Spec, c.now())})
			}
		}
	})
	return all, err
}

// nextRun is the first time after now at which the schedule makes a Job, read as the CronJob controller reads it: in
// UTC where no time zone is given.
func nextRun(spec batchv1.CronJobSpec, now time.Time) time.Time {
	if spec.Suspend != nil && *spec.Suspend {
		return time.Time{}
	}
	zone := "UTC"
	if spec.TimeZone != nil {
		zone = *spec.TimeZone
	}
	schedule, err := cron.ParseStandard(fmt.Sprintf("TZ=%s %s", zone, spec.Schedule))
	if err != nil {
		return time.Time{}
	}
	return schedule.Next(now)
}

// PodAt names the live pod of the namespace that has an address, whether it reads the Secret or not, with what controls
// it; "" where there is none, or where several have it.
func (c *Consumers) PodAt(ctx context.Context, address string) string {
	found, err := c.Client.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "status.podIP=" + address})
	if err != nil {
		return ""
	}
	var live []corev1.Pod
	for _, p := range found.Items {
		if isLive(&p) && !p.Spec.HostNetwork {
			live = append(live, p)
		}
	}
	if len(live) != 1 {
		return ""
	}
	name := "pod/" + live[0].Name
	if ref := metav1.GetControllerOf(&live[0]); ref != nil {
		name += fmt.Sprintf(" of %s %s", ref.Kind, ref.Name)
	}
	return name
}
