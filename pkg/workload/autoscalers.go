package workload

import (
	"context"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Growth is how many pods the consumers have, and how many they have at most once every HorizontalPodAutoscaler of
// theirs has gone to its maximum. ok is false where those may not be listed.
func (c *Consumers) Growth(ctx context.Context) (now, most int, ok bool, err error) {
	groups, _, err := c.survey(ctx)
	if err != nil {
		return 0, 0, false, err
	}
	maxima := map[string]int{}
	err = pages(ctx, c, "horizontalpodautoscalers", c.Client.AutoscalingV2().HorizontalPodAutoscalers(c.Namespace).List,
		func(l *autoscalingv2.HorizontalPodAutoscalerList) {
			for _, h := range l.Items {
				ref := h.Spec.ScaleTargetRef
				maxima[strings.ToLower(ref.Kind)+"/"+ref.Name] = int(h.Spec.MaxReplicas)
			}
		})
	if apierrors.IsForbidden(err) {
		return 0, 0, false, nil
	}
	for _, g := range groups {
		if !c.keeps(g.controller) {
			now += g.desired
			most += max(g.desired, maxima[g.id()])
		}
	}
	return now, most, true, err
}
