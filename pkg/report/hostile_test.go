package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// attack is what somebody writes who wants to own the terminal, or what a person reads on it.
const attack = "pg\x1b[2J\x1b]0;title\a\x1b[31m\x9b2J\u009b2J\x00\x7f\u202eevil\u2066\u200b\u200d\u2028\u2029\ufeff\u00ad\u3164\U000e0041\ufe0f\xff\r\nhint: type 2\n"

// forbidden are what must not be left of it: everything but the words themselves.
var forbidden = []string{"\a", "\r", "\x00", "\x7f", "\u009b", "\u202e", "\u2066", "\u200b", "\u200d", "\u2028", "\u2029", "\ufeff", "\u00ad", "\u3164",
	"\U000e0041", "\ufe0f", "\x1b[2J", "\x1b]"}

// harmless fails where text has something of attack in it. Styles are allowed where there are colours, and then only around what is ours.
func harmless(t *testing.T, what, text string, style Style) {
	t.Helper()
	if style.Width == 0 && strings.Contains(text, "\nhint: type 2") {
		t.Errorf("%s: a line of its own in %q", what, text)
	}
	for _, bad := range forbidden {
		if strings.Contains(text, bad) {
			t.Errorf("%s: %q is left in %q", what, bad, text)
			return
		}
	}
	if !utf8.ValidString(text) || !style.Color && strings.Contains(text, "\x1b") || strings.Contains(text, "title"+red) || strings.Contains(text, unfitText+red+unfitText) {
		t.Errorf("%s: %q", what, text)
	}
}

const unfitText = string(unfit)

// fill sets every text below v to attack, and every slice and pointer to one element.
func fillHostile(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(attack)
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillHostile(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillHostile(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillHostile(v.Elem())
	case reflect.Int:
		v.SetInt(2)
	case reflect.Bool:
		v.SetBool(true)
	}
}

func filled[T any](t *testing.T) (x T) {
	t.Helper()
	fillHostile(reflect.ValueOf(&x).Elem())
	if !strings.Contains(fmt.Sprintf("%+v", x), "\x1b") {
		t.Fatal("nothing attack is in it")
	}
	return x
}

// Whatever field of whatever is shown holds the words of others: none does something to the terminal, in any format.
func TestNothingOfOthersReachesTheTerminalAsItIs(t *testing.T) {
	status, story, event := filled[Status](t), filled[history.Story](t), filled[rotation.Event](t)
	planned, intent := filled[rotation.Planned](t), filled[rotation.Intent](t)
	bad := errors.New(attack)
	for _, style := range []Style{{}, {Color: true}, {Color: true, Width: 40}, {Width: 100}} {
		for name, print := range map[string]func(*Printer) error{
			"printf":  func(p *Printer) error { return p.Printf("%s %v %q %-40s\n", attack, bad, attack, []string{attack}) },
			"line":    func(p *Printer) error { return p.Linef("%s %+v", attack, struct{ Name string }{attack}) },
			"styled":  func(p *Printer) error { return p.Linef("%s", Styled(attack)) },
			"error":   func(p *Printer) error { Error(p, rotation.WithHint(bad, attack), style); return nil },
			"plan":    func(p *Printer) error { return Plan(p, intent, []rotation.Planned{planned}) },
			"detail":  func(p *Printer) error { return Listing{Style: style, Now: noon}.WriteDetail(p, status) },
			"story":   func(p *Printer) error { return Listing{Style: style, Now: noon}.WriteStory(p, story) },
			"handing": func(p *Printer) error { return WriteHandover(p, status, noon) },
			"oneline": func(p *Printer) error { return p.Linef("%s", Line(status)) },
			"events": func(p *Printer) error {
				for _, state := range []rotation.Phase{rotation.Done, rotation.Failed, rotation.Phase(attack)} {
					for _, step := range []string{rotation.StepBegin, attack} {
						l, e := NewLines(p, style), event
						e.State, e.Step = state, step
						l.Emit(e)
						e.State = rotation.ToDo
						l.Emit(e)
					}
				}
				return nil
			},
			"summary": func(p *Printer) error {
				var s Summary
				s.Emit(event)
				waiting := filled[rotation.State](t)
				return errors.Join(s.Write(p, End{Continue: attack, Undo: attack}, style),
					s.Write(p, End{Outcome: rotation.UnderWay, Waiting: waiting}, style))
			},
		} {
			var out strings.Builder
			if err := print(NewPrinter(&out)); err != nil || !strings.Contains(out.String(), "evil") {
				t.Errorf("%s: %v: %q", name, err, out.String())
			}
			harmless(t, name, out.String(), style)
		}
		for _, format := range []Format{Table, Wide, JSONs, YAML, Name, "jsonpath={.items[0]}", "jsonpath={.items[0].name}{.items[0].target}"} {
			for _, l := range []Listing{{Style: style, Format: format, Now: noon}, {Style: style, Format: format, Now: noon, AllNamespaces: true}} {
				var out strings.Builder
				if err := errors.Join(l.Write(NewPrinter(&out), []Status{status}), l.WriteHistory(NewPrinter(&out), []history.Story{story})); err != nil {
					t.Errorf("%s: %v", format, err)
				}
				harmless(t, string(format), out.String(), style)
			}
		}
	}
}

// What cobra, klog and marshallers print keeps its lines, and has no styles of its own.
func TestAWriterForOthersKeepsLinesAlone(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out)
	for _, part := range []string{"one\ttwo\n", red + "three" + reset + "\n", "half \xc2", "\x9b2J\n"} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if want := "one\ttwo\n\ufffd[31mthree\ufffd[0m\nhalf \ufffd\ufffd2J\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Programs get all that was said, and a terminal on which the same is shown nothing that it obeys.
func TestJSONLosesNothing(t *testing.T) {
	said := strings.ToValidUTF8(attack, "\ufffd")
	var out strings.Builder
	j := NewJSON(NewPrinter(&out))
	j.Emit(rotation.Event{Note: said, Hint: "<ü & 日本>"})
	harmless(t, "json", out.String(), Style{})
	var got rotation.Event
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || got.Note != said || !strings.Contains(out.String(), "<ü & 日本>") {
		t.Errorf("%v: %q", err, out.String())
	}
}
