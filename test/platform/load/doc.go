// Package load sends requests to the demo backend at a fixed rate and counts what became of each.
//
// The model is open: request number n starts n/rate seconds after the first, whether or not the ones before
// it have been answered, and its latency counts from that moment. A server that stalls is therefore measured
// as its users would find it, and not given a rest by the client that waits for it.
//
// A request has failed if it was sent and did not end in a whole, well-formed 2xx reply that names the pod and the login behind it.
// That includes a request that net/http would have repeated by itself after a kept connection broke under it. Nothing is ever
// tried twice. A request that was not sent, because too many were in flight, has not failed: this program could not keep up. A
// request that was served later than SlowAfter is slow. These are three counts. Calibrate finds a rate at which all three are zero
// while nothing is rotated; at that rate nothing may fail.
package load
