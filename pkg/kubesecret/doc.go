// Package kubesecret is a [rotation.Store] over a plain Kubernetes Secret.
//
// A target has two Secrets. The application's own is what its consumers read: a rotation writes the rotated keys
// there, and in an annotation beside them what was decided, which editions were written and which versions are gone.
// The second, named after the first with "-rotate" at its end, holds the values by version, add-only, and the key
// that binds an edition to its data.
//
// Every write is a compare-and-swap on a resourceVersion. What a decision depends on stands in one object with the
// data that it publishes, so a change of mind fences off whoever decided before it. The values stand apart, so
// that whoever may read the application's Secret sees one value and not all of them.
//
// The second Secret has no owner reference: if it went with the application's Secret, one `kubectl delete` and
// `kubectl create` would take the only copy of values that servers still accept. It carries no label of
// the application's Secret either, since deployment tools prune by those.
package kubesecret
