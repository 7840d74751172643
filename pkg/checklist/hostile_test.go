package checklist

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const attack = "evil\x1b[2J\x1b]0;title\a\x1b[31m\u009b2J\x00\x7f\u202e\u200b\u2028\ufeff\xff\r\nhint: type 2\n"

// Whatever pods, servers and tenants say, in every place of the screen: it neither moves the cursor nor has a line of its own.
func TestNobodySpeaksToTheTerminal(t *testing.T) {
	items := []rotation.Item{
		{Name: attack, Of: attack, Phase: rotation.Failed, Note: attack, MaySkip: true},
		{Name: attack, Of: attack, Phase: rotation.Waiting, Note: attack}, {Name: attack, Phase: rotation.Phase(attack), Note: attack},
	}
	question := rotation.Question{Step: attack, Kind: attack, Text: attack}
	for name, see := range map[string]func(*desk){
		"asked": func(d *desk) { d.see(askMsg{question, make(chan bool, 1)}) },
		"protected": func(d *desk) {
			d.see(askMsg{rotation.Question{Step: attack, Kind: rotation.ConsentProceed, Text: attack}, make(chan bool, 1)})
		},
		"typed": func(d *desk) {
			d.see(askMsg{rotation.Question{Step: attack, Kind: rotation.ConsentProceed, Text: attack}, make(chan bool, 1)})
			d.see(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(attack)})
		},
		"offered":  func(d *desk) { d.see(offerMsg{question, make(chan rotation.Answer, 1)}) },
		"skipping": func(d *desk) { d.press("s") },
		"open":     func(d *desk) { d.press("enter", "down", "enter") },
		"log":      func(d *desk) { d.press("l") },
		"handover": func(d *desk) { d.press("L") },
		"help":     func(d *desk) { d.press("?") },
		"abort":    func(d *desk) { d.press("a") },
	} {
		for _, style := range []report.Style{{}, {Color: true}} {
			for _, width := range []int{40, 300} {
				d := sit(t, width, 60)
				o := &d.m.options
				o.Style, o.Protected, o.Secret = style, attack, attack
				o.Header = Header{attack, attack, attack, attack, attack, attack}
				o.Commands = func(bool) (string, string) { return attack, attack }
				d.see(planMsg{rotation.Intent{From: 1, To: 2, Attempt: 1, By: attack}, []rotation.Planned{
					{Step: "begin", Section: rotation.Before, Goal: attack, Note: attack, Lines: []string{attack}, Items: items},
					{Step: attack, Section: rotation.After, Goal: attack, Note: attack, Lines: []string{attack}, Items: items, Final: true},
				}})
				for _, step := range []string{"begin", attack} {
					d.event(time.Second, rotation.Event{Step: step, State: rotation.Waiting, Note: attack, Error: attack, Hint: attack, Items: items, Until: d.clock.Add(time.Hour)})
				}
				d.see(logMsg(strings.ReplaceAll(attack, "\n", " ") + "\n")) // a Printer has made one line of it
				see(d)
				view := d.m.View()
				for _, style := range []string{report.Faint, report.Bold, "\x1b[33m", "\x1b[32m", "\x1b[0m"} {
					view = strings.ReplaceAll(view, style, "")
				}
				if strings.Contains(strings.ReplaceAll(view, "\x1b[31m[!]", ""), "\x1b[31m") {
					t.Errorf("%s: a style of others: %q", name, view)
				}
				view = strings.ReplaceAll(view, "\x1b[31m", "")
				bad := strings.ContainsFunc(view, func(r rune) bool { return r != '\n' && (!rotation.Visible(r) || unicode.IsControl(r)) })
				if bad || !utf8.ValidString(view) || width == 300 && strings.Contains(view, "\nhint: type 2") || name != "help" && !strings.Contains(view, "evil") {
					t.Errorf("%s, %d columns: %q", name, width, view)
				}
			}
		}
	}
}
