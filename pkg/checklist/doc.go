// Package checklist is the screen of a run in a terminal: the runbook's own checklist, alive. It is the only place that
// knows Bubble Tea.
//
// The screen holds no state of a rotation. It folds the events of a run into rows, shows what a step would do as the run's
// plan says it, and hands the operator's answers back: approvals, a pause before the next effect, the way back, the
// end. Whoever leaves it leaves the rotation where it is; the same command opens the same screen again, from
// anywhere.
package checklist
