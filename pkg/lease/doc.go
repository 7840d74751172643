// Package lease lets operators of one target know of each other, by a Lease of the API server beside the record: a
// second run says who is at it, since when and on which host, instead of working against the first.
//
// It is courtesy and explanation, never the fence. Two runs at once do no harm, whatever the Lease says: what keeps
// them apart is the record's compare-and-swap, and the server's lock with the intent read again inside it. So
// nothing here ever stops a run that has begun, and an emergency never waits for anybody.
package lease
