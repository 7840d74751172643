package history

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// What a history may grow to. It is to be read, and stands in one object of the cluster.
const (
	Most      = 50      // entries of a target; older ones are left out
	MostBytes = 256_000 // of all entries together, encoded

	mostRuns  = 8   // of one entry; the oldest are joined
	mostNotes = 20  // of one run
	mostText  = 400 // characters of one text
)

// Merge is what is kept, the oldest first, once it has learned what a process tells.
func Merge(kept []Entry, told ...Entry) []Entry {
	all := slices.Clone(kept)
	for _, e := range told {
		i := slices.IndexFunc(all, func(known Entry) bool { return known.Key() == e.Key() })
		if i < 0 {
			i = len(all)
			all = append(all, Entry{Target: e.Target, Attempt: e.Attempt, From: e.From, To: e.To, Back: e.Back})
		}
		for _, r := range e.Runs {
			if r.worked() || all[i].lacksEnd() {
				all[i] = all[i].with(r)
			}
		}
		all[i].Compromised = all[i].Compromised || e.Compromised
	}
	all = slices.DeleteFunc(all, func(e Entry) bool { return len(e.Runs) == 0 })
	for i := range all {
		all[i] = all[i].bounded()
	}
	order(all)
	all = all[max(0, len(all)-Most):]
	for len(all) > 1 && size(all) > MostBytes {
		all = all[1:]
	}
	return all
}

// lacksEnd says whether a run that found everything done has something to add: that it is over, which the one that did it
// had no time to say.
func (e Entry) lacksEnd() bool {
	return len(e.Runs) > 0 && !e.whole().finished()
}

// bounded joins what is too much to be kept one by one.
func (e Entry) bounded() Entry {
	e.Runs = slices.Clone(e.Runs)
	for len(e.Runs) > mostRuns {
		e.Runs = append([]Run{join(e.Runs[0], e.Runs[1])}, e.Runs[2:]...)
	}
	for i := range e.Runs {
		notes := e.Runs[i].Notes
		e.Runs[i].Notes = notes[max(0, len(notes)-mostNotes):]
		e.Runs[i].By = e.Runs[i].By[max(0, len(e.Runs[i].By)-mostNotes):]
	}
	return e
}

func size(all []Entry) int {
	text, err := json.Marshal(all)
	if err != nil {
		return 0 // nothing in it cannot be encoded
	}
	return len(text)
}

// cut is text in at most n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
