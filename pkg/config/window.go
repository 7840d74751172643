package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known on a machine that has no list of them
)

// Window is a time of the week, by a clock on the wall: an hour that a change to summer time leaves out is in no window, one that
// comes twice is in it twice.
type Window struct {
	days       [7]bool // on which it begins
	start, end int     // minutes since midnight; an end that is not after the start is on the next day
	zone       *time.Location
	text       string
}

var windowForm = regexp.MustCompile(`^(?:([A-Za-z,-]+) +)?(\d\d):(\d\d)-(\d\d):(\d\d)(?: +([A-Za-z0-9_+/-]+))?$`)

var dayNames = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// ParseWindow reads a window such as "Sat 02:00-06:00 Europe/Berlin", "Mon-Fri 22:00-04:00 UTC" or "12:00-13:00". Without days it is
// every day, without a zone in UTC.
func ParseWindow(text string) (Window, error) {
	m := windowForm.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Window{}, errors.New("must be a time such as Sat 02:00-06:00 Europe/Berlin")
	}
	w := Window{text: text}
	var err error
	if w.days, err = parseDays(m[1]); err != nil {
		return Window{}, err
	}
	if w.start, err = minutes(m[2], m[3]); err != nil || w.start == 24*60 {
		return Window{}, fmt.Errorf("%s:%s is not a time of the day", m[2], m[3])
	}
	if w.end, err = minutes(m[4], m[5]); err != nil {
		return Window{}, fmt.Errorf("%s:%s is not a time of the day", m[4], m[5])
	}
	if w.start == w.end {
		return Window{}, errors.New("ends when it begins; the whole day is 00:00-24:00")
	}
	if m[6] == "Local" {
		return Window{}, errors.New("the zone Local is another one on each machine")
	}
	if w.zone, err = time.LoadLocation(m[6]); err != nil { // "" is UTC
		return Window{}, fmt.Errorf("there is no time zone %q", m[6])
	}
	return w, nil
}

// parseDays reads "Sat", "Mon-Fri" or "Sat,Sun"; nothing is every day. A range may go past the end of the week.
func parseDays(text string) (days [7]bool, err error) {
	if text == "" {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, known := dayNames[from]
		last := first
		if isRange {
			var ok bool
			last, ok = dayNames[to]
			known = known && ok
		}
		if !known {
			return days, fmt.Errorf("%q is not a day or days: Mon, Mon-Fri, Sat,Sun", part)
		}
		for d := first; ; d = (d + 1) % 7 {
			days[d] = true
			if d == last {
				break
			}
		}
	}
	return days, nil
}

func minutes(hour, minute string) (int, error) {
	h, _ := strconv.Atoi(hour) // two digits
	m, _ := strconv.Atoi(minute)
	if at := h*60 + m; m < 60 && at <= 24*60 {
		return at, nil
	}
	return 0, errors.New("no such time")
}

// String gives the window as it was written.
func (w Window) String() string { return w.text }

// Contains says whether t is in the window.
func (w Window) Contains(t time.Time) bool {
	t = t.In(w.zone)
	at, today := t.Hour()*60+t.Minute(), w.days[t.Weekday()]
	if w.start < w.end {
		return today && w.start <= at && at < w.end
	}
	yesterday := w.days[(t.Weekday()+6)%7]
	return today && at >= w.start || yesterday && at < w.end
}

// Next is when the window opens next after t: the first minute of it after one that is not. It is looked for minute by minute, since
// [time.Date] may place an hour that summer time leaves out before the change. Zero is a window that is always open.
func (w Window) Next(t time.Time) time.Time {
	const most = 15 * 24 * 60 // a week, and one more where summer time leaves the hour out
	at := t.Truncate(time.Minute)
	for before := w.Contains(at); at.Before(t.Add(most * time.Minute)); {
		at = at.Add(time.Minute)
		now := w.Contains(at)
		if now && !before {
			return at
		}
		before = now
	}
	return time.Time{}
}
