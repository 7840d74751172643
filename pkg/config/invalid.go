package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line  int    // counted from 1; 0 where it belongs to no line
	Field string // the path: "targets[0].secret.name"; "" for the file as a whole
	Text  string // what is wrong with it
}

// InvalidError is everything that is wrong with a file, in the order of its lines.
type InvalidError struct {
	Source   string // the file, or the ConfigMap
	Problems []Problem
}

// Error gives one line for each problem, in the form of a compiler: "file:line: field: text".
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.Source + ":"
		if p.Line > 0 {
			lines[i] += fmt.Sprintf("%d:", p.Line)
		}
		if p.Field != "" {
			lines[i] += " " + p.Field + ":"
		}
		lines[i] += " " + p.Text
	}
	return strings.Join(lines, "\n")
}

// problemOf gives a validation error the line that its field, or the nearest thing around it, stands on.
func problemOf(e *field.Error, lines map[string]int) Problem {
	p := Problem{Field: e.Field, Text: lower(e.ErrorBody())}
	for at := e.Field; at != "" && p.Line == 0; at = parent(at) {
		p.Line = lines[at]
	}
	return p
}

// yamlLine is how the YAML library says where it stopped.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// problemOfYAML puts the line of a syntax error where all others have it.
func problemOfYAML(err error) Problem {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return Problem{Text: err.Error()}
	}
	line, _ := strconv.Atoi(m[1]) // 0 where it says none
	return Problem{Line: line, Text: "is not YAML: " + strings.TrimPrefix(err.Error(), m[0])}
}

// parent is the path of what a field is part of: "a[0].b" is part of "a[0]", that of "a".
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// lower starts a text with a small letter: these errors are read after others.
func lower(text string) string { return strings.ToLower(text[:1]) + text[1:] }
