package config

import (
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		window, at string
		in         bool
	}{
		{"Sat 02:00-06:00 Europe/Berlin", "2026-05-02T00:00:00Z", true}, // a Saturday, 02:00 in Berlin
		{"Sat 02:00-06:00 Europe/Berlin", "2026-05-01T23:59:59Z", false},
		{"Sat 02:00-06:00 Europe/Berlin", "2026-05-02T04:00:00Z", false},
		{"Sat 02:00-06:00 Europe/Berlin", "2026-05-03T01:00:00Z", false},
		{"sat 02:00-06:00", "2026-05-02T02:00:00Z", true},
		{"02:00-06:00", "2026-05-05T03:00:00Z", true},
		// past midnight it belongs to the day it begins on
		{"Fri 22:00-04:00 UTC", "2026-05-01T22:00:00Z", true},
		{"Fri 22:00-04:00 UTC", "2026-05-02T03:59:59Z", true},
		{"Fri 22:00-04:00 UTC", "2026-05-02T04:00:00Z", false},
		{"Fri 22:00-04:00 UTC", "2026-05-01T03:00:00Z", false},
		{"Sat 22:00-04:00 UTC", "2026-05-03T01:00:00Z", true}, // into Sunday, past the end of the week
		{"Mon-Fri 00:00-24:00", "2026-05-01T23:59:59Z", true},
		{"Mon-Fri 00:00-24:00", "2026-05-02T00:00:00Z", false},
		{"Fri-Mon 00:00-24:00", "2026-05-03T12:00:00Z", true}, // past the end of the week
		{"Fri-Mon 00:00-24:00", "2026-05-05T12:00:00Z", false},
		{"Sat,Sun 10:00-11:00", "2026-05-03T10:30:00Z", true},
		{"22:00-00:00", "2026-05-03T23:59:00Z", true},
		{"22:00-00:00", "2026-05-04T00:00:00Z", false},
		// summer time begins in Berlin on 2026-03-29: 02:00 is 03:00
		{"Sun 02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", false},
		{"Sun 02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", false},
		{"Sun 02:00-06:00 Europe/Berlin", "2026-03-29T01:00:00Z", true},
		{"Sun 02:00-06:00 Europe/Berlin", "2026-03-29T03:59:00Z", true},
		{"Sun 02:00-06:00 Europe/Berlin", "2026-03-29T04:00:00Z", false},
		// and ends on 2026-10-25: 03:00 is 02:00 once more
		{"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true},
		{"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true},
		{"Sun 02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", false},
	} {
		w, err := ParseWindow(c.window)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if w.Contains(at) != c.in {
			t.Errorf("%s contains %s: %v, want %v", c.window, c.at, !c.in, c.in)
		}
	}
}

func TestNextWindow(t *testing.T) {
	for _, c := range []struct{ window, at, next string }{
		{"Sat 02:00-06:00 Europe/Berlin", "2026-05-01T12:00:00Z", "2026-05-02T00:00:00Z"},
		{"Sat 02:00-06:00 Europe/Berlin", "2026-05-02T00:00:00Z", "2026-05-09T00:00:00Z"},
		{"22:00-04:00", "2026-05-01T22:00:01Z", "2026-05-02T22:00:00Z"},
		{"Sun 02:00-03:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-04-05T00:00:00Z"}, // there is no such hour on the 29th
		{"Sun 02:00-06:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"}, // it opens at 03:00, an hour late
		{"Sun 02:00-06:00 America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"},
		{"Sun 02:30-06:00 America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"},
		{"Sat 22:00-04:00 America/New_York", "2026-03-08T03:30:00Z", "2026-03-15T02:00:00Z"}, // open already, through the change
		{"Sun 00:00-04:00 America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"}, // the day begins at 01:00
		// an hour that comes twice opens twice; one around it opens once
		{"Sun 01:30-01:45 America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"},
		{"Sun 01:30-01:45 America/New_York", "2026-11-01T05:50:00Z", "2026-11-01T06:30:00Z"},
		{"Sun 00:30-04:00 America/New_York", "2026-11-01T04:30:00Z", "2026-11-08T05:30:00Z"},
		{"Mon-Fri 00:00-24:00", "2026-05-02T12:00:00Z", "2026-05-04T00:00:00Z"},
		{"02:00-03:00 Asia/Kathmandu", "2026-05-02T12:00:00Z", "2026-05-02T20:15:00Z"},
	} {
		w, err := ParseWindow(c.window)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		if got := w.Next(at).UTC().Format(time.RFC3339); got != c.next {
			t.Errorf("%s after %s: %s, want %s", c.window, c.at, got, c.next)
		}
	}
}

func TestProtectedContexts(t *testing.T) {
	c := Config{Protected: []string{"live", "*prod*", "a/?"}}
	for context, want := range map[string]string{
		"eu-prod-1": "*prod*", "prod": "*prod*", "live": "live", "olive": "", "": "", "a/b": "a/?",
		"arn:aws:eks:eu-west-1:123456789012:cluster/prod": "*prod*", "default/api-prod-example-com:6443/alice": "*prod*",
	} {
		if got := c.ProtectedBy(context); got != want {
			t.Errorf("%q is protected by %q, want %q", context, got, want)
		}
	}
}
