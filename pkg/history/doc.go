// Package history says what rotations came to: who made them, when, how long each step took, what proved it, and how it
// ended. It is folded from the events of runs, holds no value, and knows nothing of where it is kept.
//
// A decision (a rotation, or the way back from one) is an [Entry]. Each run that worked for it adds a [Run], so a rotation
// that was killed and continued from another laptop has two. [Tell] reads a target's entries together: how one ended often
// shows only in the next.
package history
