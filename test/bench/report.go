package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// line is one figure. Without a bound it is only told.
type line struct {
	what   string
	figure string
	bound  string
	missed bool
}

// atMost is a figure with an upper bound, both in the same unit.
func atMost(what string, got, most float64, format string) line {
	return line{what, fmt.Sprintf(format, got), "at most " + fmt.Sprintf(format, most), got > most}
}

// printed writes all lines with a verdict each, and says whether every bound holds.
func printed(w io.Writer, all []line) (good bool) {
	good = true
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tbound\t")
	for _, l := range all {
		verdict := "ok"
		switch {
		case l.missed:
			verdict, good = "MISSED", false
		case l.bound == "":
			verdict = ""
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", l.what, l.figure, l.bound, verdict)
	}
	return t.Flush() == nil && good
}

// median of an odd number of figures is the one in the middle; of an even one, the mean of the two.
func median[T time.Duration | float64](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// spread shows the median between the least and the most.
func spread(all []time.Duration) string {
	return fmt.Sprintf("%.2f s (%.2f to %.2f)", median(all).Seconds(), slices.Min(all).Seconds(), slices.Max(all).Seconds())
}
