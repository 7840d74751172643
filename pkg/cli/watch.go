package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
)

// watchPeriod is how long a watch rests between two looks.
const watchPeriod = 2 * time.Second

// watch looks again and again until nothing is under way: on a terminal over what was shown before, else with a line for
// each target that has changed. A look that fails is shown, and the watch goes on: it was seen to work before.
func (g *global) watch(ctx context.Context, all []report.Status, look func(context.Context) ([]report.Status, error),
	show func(*report.Printer, []report.Status) error) ([]report.Status, error) {
	p := &page{out: g.Out, size: g.Size}
	tell := func(all []report.Status, failed error) error {
		p.changes(all, failed)
		return nil
	}
	if g.redrawn() {
		tell = func(all []report.Status, failed error) error {
			var text bytes.Buffer
			shown := report.NewPrinter(&text)
			err := show(shown, all)
			if failed != nil {
				err = errors.Join(err, shown.Linef("the last look failed: %v", failed))
			}
			p.turn(text.String())
			return err
		}
	}
	var failed error
	for {
		if err := tell(all, failed); err != nil {
			return all, err
		}
		if failed == nil && !slices.ContainsFunc(all, pending) {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(watchPeriod):
		}
		var next []report.Status
		if next, failed = look(ctx); len(next) > 0 {
			all = next
		}
	}
}

// pending says whether something is under way.
func pending(s report.Status) bool {
	return s.Phase != report.PhaseStandby && s.Phase != report.PhaseMissing && s.Error == ""
}

// page is what a watch has written.
type page struct {
	out   *report.Printer
	size  func() (width, height int)
	lines int               // that stand on the terminal
	told  map[string]string // by target, where nothing is written over
}

// turn writes text over what was written before, as far as the terminal is wide and high.
func (p *page) turn(text string) {
	width, height := p.size()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if room := height - 2; room > 0 && len(lines) > room {
		lines = append(lines[:room-1:room-1], fmt.Sprintf("and %d lines more", len(lines)-room+1))
	}
	if p.lines > 0 {
		_ = p.out.Rewind(p.lines)
	}
	p.lines = len(lines)
	for _, line := range lines {
		if width > 0 {
			line = ansi.Truncate(line, width, "…")
		}
		_ = p.out.Styled(line)
	}
}

// changes writes a line for each target that stands otherwise than it was told last, and for a look that failed.
func (p *page) changes(all []report.Status, failed error) {
	now := map[string]string{}
	for _, s := range all {
		now[s.Namespace+"/"+s.Name] = report.Line(s)
	}
	if failed != nil {
		now[""] = "the last look failed: " + failed.Error()
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if p.told[name] != now[name] {
			_ = p.out.Linef("%s %s", time.Now().UTC().Format("15:04:05Z"), now[name])
		}
	}
	p.told = now
}
