// Package cli is the command line: flags to a plan, a plan to a run. It is the only place that knows
// which parts there are and puts them together.
package cli
