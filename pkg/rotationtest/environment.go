package rotationtest

// move is something that happens without any operator: a controller, a kubelet, a client, time.
type move struct {
	name string
	do   func(*World)
	fair bool // it happens sooner or later; the others may or may not
	cure bool // the gate becomes good: a way back does not wait for that
}

// environment are all moves that can happen in w.
func (w *World) environment() (moves []move) {
	add := func(fair bool, name string, do func(*World)) {
		moves = append(moves, move{name: name, do: do, fair: fair})
	}
	for i := range w.slots {
		now, leaving := w.pods[i].now, w.pods[i].leaving
		if leaving.alive {
			add(true, "an old pod exits", func(w *World) { w.pods[i].leaving = pod{} })
		} else if now.label != w.template {
			add(true, "the controller replaces a pod", func(w *World) { w.replace(i, w.newest()) })
			if w.stale && w.newest() > 1 {
				add(false, "the controller replaces a pod, which is handed the edition before", func(w *World) { w.replace(i, w.newest()-1) })
			}
		}
		if w.files && now.holds != w.newest() {
			add(true, "a pod reads its files again", func(w *World) { w.reread(&w.pods[i].now) })
		}
		if now.holds != w.newest() || now.began != w.moment() {
			add(false, "a container restarts", func(w *World) { w.restart(&w.pods[i].now, w.newest()) })
		}
	}
	if w.told && w.outside != w.active() {
		add(true, "the client outside reads the Secret", func(w *World) { w.outside = w.active() })
	}
	if w.quarantined == fresh || w.idle == fresh || w.tokens != w.signing() {
		add(true, "time passes", func(w *World) { w.pass() })
	}
	w.controller(add)
	switch {
	case w.ill:
		moves = append(moves, move{name: "the gate becomes good", do: func(w *World) { w.ill = false }, fair: true, cure: true})
	case w.watched:
		add(false, "the gate becomes bad", func(w *World) { w.ill = true })
	}
	return append(moves, w.forgeries()...)
}

// replace makes the pod of slot i leave, and a new one from the template take its place.
func (w *World) replace(i, edition uint8) {
	w.pods[i].leaving = w.pods[i].now
	w.pods[i].now = pod{alive: true, label: w.template, made: w.moment()}
	w.restart(&w.pods[i].now, edition)
}

func (w *World) restart(p *pod, edition uint8) {
	p.began, p.holds = w.moment(), edition
	w.issue()
}

// reread has a pod go by what the Secret says now, without a restart.
func (w *World) reread(p *pod) {
	p.holds = w.newest()
	w.issue()
}

// signing are the versions under which a live pod issues.
func (w *World) signing() (versions uint16) {
	if !w.told {
		w.everyPod(func(p *pod) { versions |= 1 << w.views[p.holds].active })
	}
	return versions
}

// pass lets enough time go by for every wait to be over.
func (w *World) pass() {
	if w.quarantined == fresh {
		w.quarantined = old
	}
	if w.idle == fresh {
		w.idle = old
	}
	w.tokens = w.signing()
}
