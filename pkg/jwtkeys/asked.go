package jwtkeys

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Asked are verifiers whose pods are asked, each over a way of its own, what they make of tokens that are minted for it. A
// Service in front of them would hide the one that does otherwise. It is a [rotation.Probed]; its fields are set once, before
// its first use.
type Asked struct {
	Unasked
	Verify Request
	Issue  *Request // nil: pods issue nothing that could be looked at
	Body   rotation.Secret
	Field  string // of the JSON answer to Issue that holds the token
	Claims map[string]any
	Scheme string // http or https
	Port   int
	// Dial is the way to a pod.
	Dial func(workload, pod string) func(ctx context.Context, network, address string) (net.Conn, error)
	// Covers says whether the pods of a workload answer these requests; nil: all do.
	Covers func(workload string) bool
	// Issues says whether the pods of a workload answer Issue; nil: all do that are asked. The others only verify.
	Issues func(workload string) bool
	Now    func() time.Time // the API server's clock; nil is the local one

	mu        sync.Mutex
	model     *model             // of a token that was issued
	strangers map[string]reading // keys that nobody knows, by their kind
}

// Request is what to ask a pod for.
type Request struct{ Method, Path string }

var _ rotation.Probed = (*Asked)(nil)

const (
	patience = 5 * time.Second // for all that one pod is asked
	atOnce   = 16              // pods
)

// Probe asks every pod that is there to answer. One that is starting is not asked yet.
func (a *Asked) Probe(ctx context.Context, workloads []rotation.Workload, want rotation.Wanted) ([]rotation.Reply, error) {
	unknown, err := a.stranger(want.Accept[0])
	if err != nil {
		return nil, err
	}
	if a.Issue != nil && a.Issues != nil { // who only verifies is asked about tokens of those that issue
		_, _ = a.learn(ctx, workloads, want)
	}
	var replies []rotation.Reply
	var pods []rotation.Pod
	for _, w := range workloads {
		for _, p := range w.Pods {
			replies, pods = append(replies, rotation.Reply{Workload: w.Name, Pod: p.Name}), append(pods, p)
		}
	}
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i := range replies {
		r, p := &replies[i], pods[i]
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			a.ask(ctx, r, p, want, unknown)
		})
	}
	all.Wait()
	return replies, ctx.Err()
}

// ask fills in what one pod makes of the versions.
func (a *Asked) ask(ctx context.Context, r *rotation.Reply, p rotation.Pod, want rotation.Wanted, unknown reading) {
	switch {
	case a.Covers != nil && !a.Covers(r.Workload):
		r.Status, r.Proof = rotation.Unproven, "not asked: the probe is not for its workload"
		return
	case !p.Ready && !p.Terminating:
		r.Status, r.Proof = rotation.Unknown, "starting"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v := a.visit(r.Workload, p.Name)
	defer v.close()
	v.unknown, v.issues, v.urgent = unknown, a.issues(r.Workload), want.Urgent
	if a.Issue != nil && !v.issues && a.issued() == nil {
		r.Status, r.Proof = rotation.Unknown, "no pod has issued a token yet that one for it could be made like"
		return
	}
	r.Status, r.Proof = v.judge(ctx, want)
	r.Faults = v.faults
}

// Lifetime is how long an issued token is valid, the leeway of those who verify it included: the longer of what is said of
// it and of what one that was issued just now says of itself.
func (a *Asked) Lifetime(ctx context.Context, workloads []rotation.Workload) (time.Duration, error) {
	if a.Issue == nil {
		return a.Unasked.Lifetime(ctx, workloads)
	}
	m, err := a.learn(ctx, workloads, rotation.Wanted{})
	switch {
	case err != nil:
		return 0, err
	case m.life > 0:
		return max(a.Lives, m.life) + a.Leeway, nil
	case a.Lives > 0:
		return a.Lives + a.Leeway, nil
	}
	return 0, rotation.WithHint(errors.New("pods issue tokens that never end: they have no exp"),
		"say in the configuration how long they count: jwt.lifetime")
}

// learn has one pod issue a token, and keeps what it looks like if it is signed with one of the wanted's keys.
func (a *Asked) learn(ctx context.Context, workloads []rotation.Workload, want rotation.Wanted) (model, error) {
	var errs []error
	for _, w := range workloads {
		for _, p := range w.Pods {
			if !p.Ready || p.Terminating || a.Covers != nil && !a.Covers(w.Name) || !a.issues(w.Name) {
				continue
			}
			m, err := a.modelAt(ctx, w.Name, p.Name, want)
			if err == nil {
				return m, nil
			}
			errs = append(errs, fmt.Errorf("pod %s: %w", p.Name, err))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, errors.New("no pod that issues tokens is ready"))
	}
	return model{}, fmt.Errorf("%w: %w", rotation.ErrUnavailable, errors.Join(errs...))
}

func (a *Asked) modelAt(ctx context.Context, workload, pod string, want rotation.Wanted) (model, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v := a.visit(workload, pod)
	defer v.close()
	token, err := v.issue(ctx)
	if err != nil {
		return model{}, err
	}
	m, err := modelOf(token)
	switch {
	case err != nil || len(want.Accept) == 0: // only how long it lives is asked
		return m, err
	case !v.ours(token, want):
		return model{}, errors.New("it issues tokens of a key that is on no record")
	}
	a.keep(m)
	return m, nil
}

// issues says whether the pods of a workload issue tokens that can be looked at.
func (a *Asked) issues(workload string) bool {
	return a.Issue != nil && (a.Issues == nil || a.Issues(workload))
}

// issued is what the last token that was issued looks like; nil before.
func (a *Asked) issued() *model {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.model
}

func (a *Asked) keep(m model) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.model = &m
}

// Preflight refuses where the key in use does not show as it should: then nothing that pods answer would prove anything.
func (a *Asked) Preflight(ctx context.Context, workloads []rotation.Workload, current rotation.Credential) (notes []string, err error) {
	want := rotation.Wanted{Accept: []rotation.Credential{current}}
	if a.Issue != nil {
		want.Sign = &current
	}
	replies, err := a.Probe(ctx, workloads, want)
	if err != nil {
		return nil, err
	}
	asked := 0
	for _, r := range replies {
		switch r.Status {
		case rotation.Accepts:
			asked++
		case rotation.Altered:
			return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("pod %s, before anything has changed: %s", r.Pod, r.Proof),
				"look at jwt.probe, jwt.algorithm and jwt.probe.claims in the configuration, and at the pod's log"))
		case rotation.Unproven:
			notes = append(notes, fmt.Sprintf("pod %s of %s is %s: what it makes of the new key is not proven", r.Pod, r.Workload, r.Proof))
		default:
			notes = append(notes, fmt.Sprintf("pod %s of %s could not be asked: %s", r.Pod, r.Workload, r.Proof))
		}
	}
	if asked == 0 {
		return notes, rotation.Refuse(rotation.WithHint(fmt.Errorf("no pod answers the probe as it should: %s", strings.Join(notes, "; ")),
			"look at jwt.probe in the configuration, or leave it out"))
	}
	return notes, nil
}

func (a *Asked) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}
