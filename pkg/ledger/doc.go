// Package ledger keeps the record of a target in a Kubernetes cluster: a [rotation.Ledger], and
// with places to publish to a [rotation.Store].
//
// The record has two parts. The intent, the editions, the marks and the tombstones stand in an
// annotation of one Secret. The second Secret, named after the first with "-rotate" at its end,
// holds the values by version, add-only, and the key that binds an edition to its data.
//
// Every write is a compare-and-swap on a resourceVersion. Where consumers read the annotated Secret
// itself, the data and the edition are written in one request, so a change of mind fences off
// whoever decided before it. Any other [Place] is fenced by the decision that it carries. The
// values stand apart, so that whoever may read the annotated Secret sees one value and not all of
// them.
//
// The second Secret has no owner reference: if it went with the annotated Secret, one `kubectl
// delete` and `kubectl create` would remove the only copy of values that servers still accept. It
// carries no label of the annotated Secret either, since deployment tools prune by those.
package ledger
