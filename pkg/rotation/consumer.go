package rotation

import (
	"slices"
	"time"
)

// Workload is a consumer: something with a pod template that reads the application's Secret.
// A pod that nothing controls is one too, with itself as its only pod.
type Workload struct {
	Name    string // "deployment/backend"
	Edition int    // what its template's label says; 0 when it has none
	Created time.Time
	Fixed   bool   // it has no template that could be moved
	Held    string // why its controller leaves old pods as they are until somebody does something about it; "" while it does not
	Desired int    // how many pods it wants
	Settled bool   // its controller has seen the template and finished with it; no old pod is left
	Failed  string // why its rollout cannot go on by itself; "" while it can
	Pods    []Pod
}

// Pod is one live pod of a workload.
type Pod struct {
	Name        string
	Edition     int // what its label says; 0 when it has none
	Created     time.Time
	Started     []time.Time // each container's last start, by the kubelet's clock; none while one has yet to start
	Reloads     bool        // the Secret is a volume: its content changes under the running pod
	Addresses   []string
	Ready       bool
	Terminating bool
	Unreachable bool   // its node has stopped reporting: what runs there cannot be known
	Problem     string // why it is not ready: "ImagePullBackOff: …", "CrashLoopBackOff: " and its last words
}

// ready counts the pods that serve.
func (w Workload) ready() (n int) {
	for _, p := range w.Pods {
		if p.Ready && !p.Terminating {
			n++
		}
	}
	return n
}

// MayHold are the views that pod p may hold, given all editions and how far clocks may differ: those
// from the edition of its label, or the one that was surely current when it was made if that is later, to the one
// that was current when its last container started. What a pod reads at its start is no older than
// the pod; what its label promises is that its template is no older than the edition.
// No views at all means that it could not be told: the editions do not reach back far enough.
func MayHold(p Pod, editions []Edition, skew time.Duration) []View {
	first := max(p.Edition, surely(editions, p.Created, skew))
	last := latest(editions)
	if !p.Reloads && len(p.Started) > 0 {
		last = first
		for _, at := range p.Started {
			last = max(last, possibly(editions, at, skew))
		}
	}
	return between(editions, first, last)
}

// WillHold is the view that a new pod of w would hold at the least: that of its template's edition.
func WillHold(w Workload, editions []Edition, skew time.Duration) []View {
	n := max(w.Edition, surely(editions, w.Created, skew))
	return between(editions, n, n)
}

// surely is the edition that was current at t beyond doubt; 1 when none was.
func surely(editions []Edition, t time.Time, skew time.Duration) int {
	n := 1
	for _, e := range editions {
		if !e.Written.IsZero() && e.Written.Add(skew).Before(t) {
			n = e.N
		}
	}
	return n
}

// possibly is the newest edition that can have been current at t.
func possibly(editions []Edition, t time.Time, skew time.Duration) int {
	n := 1
	for _, e := range editions {
		if !e.Written.After(t.Add(skew)) {
			n = e.N
		}
	}
	return n
}

func latest(editions []Edition) int {
	if len(editions) == 0 {
		return 1
	}
	return editions[len(editions)-1].N
}

func between(editions []Edition, first, last int) (views []View) {
	for _, e := range editions {
		if first <= e.N && e.N <= last {
			views = append(views, e.View)
		}
	}
	if len(views) != last-first+1 {
		return nil
	}
	return views
}

// knew says whether p may have been made before the newest edition was written. The API server dates both, to the second.
func knew(p Pod, editions []Edition) bool {
	if len(editions) == 0 {
		return true
	}
	return !p.Created.After(editions[len(editions)-1].Written)
}

// allFit is true of at least one view and of all of them: no views is "could not tell".
func allFit(views []View, fits func(View) bool) bool {
	return len(views) > 0 && !slices.ContainsFunc(views, func(v View) bool { return !fits(v) })
}
