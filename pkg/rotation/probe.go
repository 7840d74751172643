package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Probed is a System whose pods can be asked themselves, one by one, what they make of each
// version: what they were handed is one thing, and what they do with it another.
type Probed interface {
	System
	// Probe asks the pods of all workloads, the terminating ones too, and gives one answer for each.
	// What is asked has no effect. An error means that nothing could be asked at all.
	Probe(ctx context.Context, workloads []Workload, want Wanted) ([]Reply, error)
	// Lifetime is how long what is issued now stays valid, by the clocks of all who verify it.
	Lifetime(ctx context.Context, workloads []Workload) (time.Duration, error)
}

// Wanted is what pods are to make of the versions.
type Wanted struct {
	Accept []Credential // what was signed with one of these is accepted
	Refuse []Credential // and with one of these refused, while the same under one of Accept passes
	Sign   *Credential  // what a pod issues is signed with this; nil: it may be any
	// Urgent has a pod judged by Accept and Refuse alone. What else is wrong with it is told as a
	// fault.
	Urgent bool
}

// Reply is what one pod made of the versions. Its status is Accepts where all was as wanted,
// Altered where something was not, Unproven where the pod can't be asked at all, and Unknown where
// it could not be asked now.
type Reply struct {
	Workload string
	Pod      string
	Status   Status
	Proof    string // "accepts jwt-secret-v2, issues under jwt-secret-v1"
	// Faults are what else is wrong with the pod, and no matter of the rotation: "accepts a token that
	// expired a day ago".
	Faults []string
}

// prober asks pods what they do with each version. It is nil where pods cannot be asked.
type prober struct {
	core
	probed Probed
	pods   *pods

	replaced map[string]int // how many pods of each workload this run has ended for what they did
}

// inquiry is what one step asks pods. It is nil where the step asks nothing.
type inquiry struct {
	*prober
	want func(rec Record, target Credential) Wanted
	// settles is true where nothing is taken from anybody after it: pods that can't be asked are no
	// question.
	settles bool
}

// asking makes the inquiry of one step. It is nil where pods cannot be asked.
func (p *prober) asking(want func(Record, Credential) Wanted, settles bool) *inquiry {
	if p == nil {
		return nil
	}
	return &inquiry{p, want, settles}
}

// wanted is what pods are to make of the versions now; ok is false where nothing is.
func (q *inquiry) wanted(rec Record) (w Wanted, ok bool) {
	t, staged := rec.Target()
	if q == nil || !staged {
		return Wanted{}, false
	}
	w = q.want(rec, t)
	return w, len(w.Accept) > 0
}

// check is what becomes of a step that is done by what pods were handed, once they have been asked
// themselves.
func (q *inquiry) check(ctx context.Context, rec Record, workloads []Workload, s State) (State, error) {
	want, ok := q.wanted(rec)
	if !ok || s.Phase != Done && s.Phase != Doubtful {
		return s, nil
	}
	answers, err := q.probed.Probe(ctx, workloads, want)
	if err != nil {
		return State{}, fmt.Errorf("asking the pods: %w", err)
	}
	return q.reread(rec, answers, q.answered(workloads, answers, s)), nil
}

// rereading is how long it may take until a file in a pod is what its Secret says: kubelets look
// once a minute, more or less, and may go by what they have seen a little before.
const rereading = 2 * time.Minute

// reread is s while pods that can't be asked may still have an old file: it is too early even to
// agree to what is unproven.
func (q *inquiry) reread(rec Record, answers []Reply, s State) State {
	until := rec.Latest().Written.Add(rereading)
	unproven := slices.ContainsFunc(answers, func(r Reply) bool { return r.Status == Unproven })
	if !q.pods.reloads || q.settles || !unproven || s.Phase != Doubtful || !q.now().Before(until) {
		return s
	}
	s.Phase, s.Until = Waiting, until
	s.Note += fmt.Sprintf("; kubelets take up to %v until pods can read what the Secret says", rereading)
	return s
}

// answered is s with what pods have said. One that does not do as wanted, although it was handed
// the right thing, is replaced: a kubelet may have had an old Secret. Where that is not it, no pod
// would do better.
func (q *inquiry) answered(workloads []Workload, answers []Reply, s State) State {
	s.Items = nil
	proven, unproven := 0, ""
	for _, w := range workloads {
		wrong := q.wrong(w, answers)
		for _, p := range w.Pods {
			answer := answerOf(w, p, answers)
			phase := q.judge(w, p, answer.Status, wrong)
			item := Item{Name: "pod/" + p.Name, Of: w.Name, Phase: phase, Note: answer.Proof}
			if p.Unreachable {
				item.Consent = ConsentNodes
			}
			switch answer.Status {
			case Accepts:
				proven++
			case Unproven:
				unproven, item.Note = "; of the others it is known what they were handed, and not what they do with it: "+answer.Proof, ""
			}
			s.worsen(phase != Done, phase)
			s.Items = append(s.Items, item)
		}
	}
	s.Note = fmt.Sprintf("%d of %d pods proven%s%s", proven, len(s.Items), unproven, faults(answers))
	return s
}

// faults tells what else is wrong with pods, each thing once, with the names of the pods.
func faults(answers []Reply) (text string) {
	var all []string
	pods := map[string][]string{}
	for _, a := range answers {
		for _, f := range a.Faults {
			if pods[f] == nil {
				all = append(all, f)
			}
			pods[f] = append(pods[f], "pod/"+a.Pod)
		}
	}
	for _, f := range all {
		text += fmt.Sprintf("; not fixed by this rotation: %s %s", strings.Join(pods[f], ", "), f)
	}
	return text
}

func answerOf(w Workload, p Pod, answers []Reply) Reply {
	for _, a := range answers {
		if a.Workload == w.Name && a.Pod == p.Name {
			return a
		}
	}
	return Reply{Status: Unknown, Proof: "not asked"}
}

// wrong are the pods of w, those that stay, which do not do as wanted.
func (q *inquiry) wrong(w Workload, answers []Reply) (pods []Pod) {
	for _, p := range w.Pods {
		if answerOf(w, p, answers).Status == Altered && !p.Terminating && !p.Unreachable {
			pods = append(pods, p)
		}
	}
	return pods
}

// judge is the phase of one pod.
func (q *inquiry) judge(w Workload, p Pod, status Status, wrong []Pod) Phase {
	switch {
	case p.Unreachable:
		return Doubtful
	case status == Accepts:
		return Done
	case status == Unproven && (q.settles || q.intent.Compromised):
		return Done
	case status == Unproven:
		return Doubtful
	case status != Altered || p.Terminating || q.pods.reloads:
		return Waiting
	case q.hopeless(w, wrong) && q.onlyOn():
		return Waiting
	case q.hopeless(w, wrong):
		return Failed
	}
	return ToDo
}

// hopeless says whether to replace more pods of w would change nothing: all of them are wrong, or
// as many were replaced as it has. Where there is no way back from what they are to do, that all
// are wrong is no reason not to try.
func (q *inquiry) hopeless(w Workload, wrong []Pod) bool {
	n := q.replaced[w.Name]
	return n >= max(1, w.Desired) || !q.onlyOn() && len(wrong) > 1 && len(wrong) >= w.Desired
}

// onlyOn says whether there is nothing to go back to from here.
func (q *inquiry) onlyOn() bool { return q.settles || q.intent.Back }

// replaceWrong ends one pod of each workload that does not do what its label promises, while all
// others serve.
func (q *inquiry) replaceWrong(ctx context.Context, rec Record, workloads []Workload) error {
	want, ok := q.wanted(rec)
	if !ok || q.pods.reloads {
		return nil
	}
	answers, err := q.probed.Probe(ctx, workloads, want)
	if err != nil {
		return fmt.Errorf("asking the pods: %w", err)
	}
	for _, w := range workloads {
		wrong := q.wrong(w, answers)
		if len(wrong) == 0 || q.hopeless(w, wrong) || w.Fixed || !w.Settled || w.ready() < w.Desired {
			continue
		}
		if err := q.pods.replace(ctx, w, wrong[0]); err != nil {
			return fmt.Errorf("replacing pod %s, which does not do what its label says: %w", wrong[0].Name, err)
		}
		if q.replaced == nil {
			q.replaced = map[string]int{}
		}
		q.replaced[w.Name]++
	}
	return nil
}
