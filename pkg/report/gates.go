package report

import (
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// before writes what was looked at before a rotation begins, once.
func (l *Lines) before(e rotation.Event) {
	r := row{step: "before", state: rotation.Done}
	for _, i := range e.Items {
		switch {
		case i.MaySkip:
			r.state = rotation.ToDo
			fallthrough
		case i.Phase == rotation.Done && i.Note != "":
			r.items = append(r.items, i)
		}
	}
	if key := fmt.Sprint(r); len(r.items) > 0 && l.last[r.step] != key {
		l.last[r.step] = key
		_ = l.p.write(r.render(l.style))
	}
}

// passed are the gates that a step is done with, each with what it saw last.
func passed(e rotation.Event) (items []rotation.Item) {
	for _, i := range e.Items {
		if e.State == rotation.Done && i.MaySkip && i.Note != "" {
			items = append(items, i)
		}
	}
	return items
}

// key is what has to change for a row to be written again. The value of a gate that moves while its step waits is none of it.
func (r row) key() string {
	items := append([]rotation.Item(nil), r.items...)
	for i := range items {
		if items[i].MaySkip && items[i].Phase == rotation.Waiting {
			items[i].Note = ""
		}
	}
	r.items = items
	return fmt.Sprint(r)
}
