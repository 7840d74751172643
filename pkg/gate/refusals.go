package gate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Refusals asks the server itself whether it turns pods on the new version away, with either login: what an application logs of that
// seldom names the login, and so may be about another. Only a pod's address counts: anybody may try a login from anywhere.
type Refusals struct {
	Pods    Pods
	Refused func(ctx context.Context, since time.Time, cs []rotation.Credential) ([]rotation.Refusal, error)
	Skew    time.Duration
	Corroborator
}

// Look is bad when a pod that can only be on the new version was refused since the switch, and something else confirms it.
func (r *Refusals) Look(ctx context.Context, rec rotation.Record) (rotation.Item, error) {
	since, switched := switchedAt(rec)
	target, staged := rec.Target()
	if !switched || !staged {
		return rotation.Item{Phase: rotation.Waiting, Note: "nothing runs on the new version yet"}, nil
	}
	refused, err := r.Refused(ctx, since, append(rec.Others(), target))
	if err != nil {
		return rotation.Item{}, err
	}
	pods, err := r.Pods(ctx)
	if err != nil {
		return rotation.Item{}, err
	}
	pods = slices.DeleteFunc(slices.Clone(pods), func(p Pod) bool { return !isNew(p, rec, r.Skew) })
	good := fmt.Sprintf("none of %d pods since %s UTC", len(pods), since.UTC().Format(time.TimeOnly))
	var all []finding
	for _, f := range refused {
		note := fmt.Sprintf("as %s, %d times, the last at %s UTC", f.ID, f.Count, f.Last.UTC().Format(time.TimeOnly))
		if i := slices.IndexFunc(pods, func(p Pod) bool { return comesFrom(f, p.Known) }); i >= 0 {
			all = append(all, finding{pod: pods[i], last: f.Last, count: f.Count, server: true, note: note})
			continue
		}
		good += fmt.Sprintf("; somebody else at %s, %s", cmp.Or(f.Address, "a local socket"), note)
	}
	return r.judge(ctx, rec, all, good)
}

// comesFrom says whether a pod was refused: its address, and within its life, since addresses are used again.
func comesFrom(f rotation.Refusal, p rotation.Pod) bool {
	return f.Address != "" && slices.Contains(p.Addresses, f.Address) && !f.Last.Before(p.Created)
}
