package rotationtest

import (
	"errors"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// deadEnd says whether something that may be asked for in w does not come to its end although
// nothing goes wrong any more.
func (s *search) deadEnd(w World) string {
	w.appMoved, w.recordMoved, w.providerMoved = false, false, false
	if s.good[w] || !w.intent.set || w.tenant.tampered { // what the tenant has made of his own record need not come to an end
		return ""
	}
	open := false
	for _, asked := range []want{{}, {back: true}} {
		again := asked.record()
		again.MinAge = 1000 * epoch
		i, err := rotation.Decide(w.record(), again)
		if err != nil {
			continue
		}
		open = true
		if end := s.settle(w, process{on: true, intent: intentOf(i), want: asked}); end != "" {
			return end
		}
	}
	if !open {
		return "nothing may be asked for any more"
	}
	s.good[w] = true
	return ""
}

// settle walks from w to the end of i with all that happens sooner or later happening.
func (s *search) settle(w World, work process) string {
	st := state{world: w, work: work}
	for range 400 {
		before := st.world
		if !st.work.on {
			if st.world.finished() {
				return ""
			}
			st.work = work
		}
		_, found, err := s.advance(&st, fault{})
		if err != nil && !errors.Is(err, rotation.ErrConflict) {
			return fmt.Sprintf("a dead end on the way to v%d: %v", work.intent.to, err)
		}
		if found.Phase == rotation.Failed && s.isTakenBack(&work, st.world) {
			st.work = work
			continue
		}
		if before == st.world {
			for _, m := range st.world.environment() {
				if m.fair && !(m.cure && work.want.back) {
					m.do(&st.world)
					break
				}
			}
		}
	}
	return fmt.Sprintf("no end on the way to v%d: %s", work.intent.to, s.pending(st.world, work))
}

// isTakenBack says whether a run of work that has failed in w takes itself back, and makes it the way back then. A gate that is bad
// becomes good, sooner or later.
func (s *search) isTakenBack(work *process, w World) bool {
	if work.want.back || work.intent.compromised || w.ill {
		return false
	}
	back := want{back: true}
	i, err := rotation.Decide(w.record(), back.record())
	if err == nil {
		*work = process{on: true, intent: intentOf(i), want: back}
	}
	return err == nil
}

// pending names what is not done in w, for a finding.
func (s *search) pending(w World, work process) (text string) {
	op := &operator{world: &w}
	for j, state := range s.survey(w, work) {
		if state.Phase != rotation.Done {
			text += fmt.Sprintf("%s is %s (%s); ", s.runner(op, work).Steps[j].Name, state.Phase, state.Note)
		}
	}
	return text
}
