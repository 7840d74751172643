package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Day is the unit that Go's durations lack, counted as 24 hours.
const Day = 24 * time.Hour

// Duration is a time.Duration written as in Go, with days beside: 10m, 1h30m, 90d, 1d12h.
type Duration struct{ time.Duration }

// ParseDuration reads a duration such as "10m", "90d" or "1d12h". Negative ones are errors.
func ParseDuration(text string) (Duration, error) {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return Duration{}, fmt.Errorf("%q is not a duration such as 10m, 1h30m or 90d", text)
	}
	var clock time.Duration
	if rest != "" || !hasDays {
		if clock, err = time.ParseDuration(rest); err != nil || clock < 0 {
			return Duration{}, fmt.Errorf("%q is not a duration such as 10m, 1h30m or 90d", text)
		}
	}
	if clock > math.MaxInt64-time.Duration(n)*Day {
		return Duration{}, fmt.Errorf("%q is longer than can be counted", text)
	}
	return Duration{time.Duration(n)*Day + clock}, nil
}

// String gives the shortest form that [ParseDuration] reads: "90d", "1d12h", "10m".
func (d Duration) String() string {
	days, clock := d.Duration/Day, d.Duration%Day
	text := ""
	if days > 0 {
		text = fmt.Sprintf("%dd", days)
		if clock == 0 {
			return text
		}
	}
	short := clock.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(short, zero) {
			short = short[:len(short)-2]
		}
	}
	return text + short
}

// UnmarshalYAML reads a duration from a scalar.
func (d *Duration) UnmarshalYAML(n *yaml.Node) (err error) {
	*d, err = ParseDuration(n.Value)
	return err
}

// MarshalYAML writes it as [Duration.String] does.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }
