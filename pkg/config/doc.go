// Package config reads the targets file: what is rotated, where it stands, and how long things take.
//
// No file is needed on a cluster laid out as in the runbook: its names are the defaults, and a target
// in a file states only what differs from those of its kind. The file is read strictly: a field that is
// not known, a value that cannot be meant, a name used twice are errors which say the line.
//
// A kind of target is one entry of the table in kinds.go: its defaults, what it must state, and the
// section of the file that only it may have.
package config
