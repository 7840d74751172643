package rotation

import (
	"context"
	"fmt"
	"time"
)

// cutter ends, in an emergency, all pods at once that may hold the compromised value. A nil cutter
// ends none.
type cutter struct {
	core
	cut  func(context.Context, Workload, []Pod) error
	skew time.Duration

	off map[string]bool      // pods that this run has ended
	at  map[string]time.Time // and when it did so, by workload
}

// cutOff ends every pod of w that may hold what does not fit, all at once and with no time to
// finish. Each of them once: what a kubelet that does not answer makes of it is waited for. Pods
// that its controller makes in their places before it has seen the new template read the new value,
// and are left to it.
func (c *cutter) cutOff(ctx context.Context, w Workload, editions []Edition, fits func(View) bool) error {
	if c == nil {
		return nil
	}
	var off []Pod
	for _, p := range w.Pods {
		if c.toCut(w, p, editions, fits) {
			off = append(off, p)
		}
	}
	if len(off) == 0 {
		return nil
	}
	began := c.now()
	if err := c.fence(ctx); err != nil {
		return err
	}
	if err := c.cut(ctx, w, off); err != nil {
		return fmt.Errorf("ending the pods of %s that may hold the leaked value: %w", w.Name, err)
	}
	if c.off == nil {
		c.off, c.at = map[string]bool{}, map[string]time.Time{}
	}
	for _, p := range off {
		c.off[w.Name+"/"+p.Name] = true
	}
	c.at[w.Name] = began
	return nil
}

func (c *cutter) toCut(w Workload, p Pod, editions []Edition, fits func(View) bool) bool {
	if c == nil {
		return false
	}
	at, before := c.at[w.Name]
	return !p.Unreachable && !c.off[w.Name+"/"+p.Name] && (!before || p.Created.Before(at.Truncate(time.Second))) &&
		knew(p, editions) && !allFit(MayHold(p, editions, c.skew), fits)
}
