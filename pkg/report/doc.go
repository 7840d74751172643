// Package report writes what happens in a rotation, and how targets stand, for people and for programs: lines of
// progress, one JSON object for each event, a summary at the end, the table of `status` and the survey of one target.
//
// Everything is appended: nothing is moved or rewritten on the screen, so a screen reader, a pipe and a log file get the
// same text. Escape sequences are written only where the caller asks for colour. What is written cannot hold a
// secret: events and states have no field that could.
package report
