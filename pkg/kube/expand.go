package kube

import "strings"

// expand replaces $(NAME) by the variable's value as Kubernetes does: a reference that is not known stays as it is,
// and $$ stands for $, so that $$(NAME) is not a reference.
func expand(text string, lookup func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = after
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "(") && closed:
			text = rest
			if value, known := lookup(name); known {
				b.WriteString(value)
			} else {
				b.WriteString("$(" + name + ")")
			}
		default:
			b.WriteByte('$')
		}
	}
}
