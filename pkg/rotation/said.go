package rotation

import "strings"

// Said marks what a pod has said, such as the last lines of its log: it can hold anything, also another secret. It stands between quotes
// that nothing else in a note has, for [WithoutSaid].
func Said(words string) string {
	return "“" + strings.NewReplacer("“", `"`, "”", `"`).Replace(words) + "”"
}

// Withheld stands for what a pod has said where that may not go.
const Withheld = "(output withheld, see `kubectl logs`)"

// WithoutSaid is a note without what pods have said. Where the note was cut in the middle of that, all of the rest goes.
func WithoutSaid(note string) string {
	var out strings.Builder
	for {
		before, words, found := strings.Cut(note, "“")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		out.WriteString(Withheld)
		_, note, _ = strings.Cut(words, "”")
	}
}
