package workload

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// mostMoves is how often a workload is given one and the same label: that it has to be given again means that somebody
// took it away, and each time all its pods roll.
const mostMoves = 3

// insist counts that the workload is about to be given the label of edition n, and is an error once that is no use.
func (c *Consumers) insist(workload string, n int, fields []metav1.ManagedFieldsEntry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprintf("%s %d", workload, n)
	if c.moves[key] >= mostMoves {
		return rotation.WithHint(
			fmt.Errorf("somebody has taken the label %s=%d away from the template of %s, %d times%s", Label(c.Secret), n, workload, mostMoves, writers(fields)),
			"have it leave that label alone, or put the label into its source until the rotation is over; then run the same command")
	}
	if c.moves == nil {
		c.moves = map[string]int{}
	}
	c.moves[key]++
	return nil
}

// writers are who writes an object beside rotations and the parts of Kubernetes. The API server does not keep who
// removed a field, only who owns one.
func writers(fields []metav1.ManagedFieldsEntry) string {
	var names []string
	for _, f := range fields {
		if f.Manager != FieldManager && f.Subresource == "" {
			names = append(names, fmt.Sprintf("%q", f.Manager))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; those who write it are " + strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", ")
}
