// Package kubehistory keeps the history of a target in the cluster: in the ConfigMap NAME-rotate-history beside its
// Secret NAME, a key for each decision. It holds no value, so whoever may read ConfigMaps may read it.
//
// It stands apart from the record on purpose. The record's Secrets fence what a run does: each write there makes what was
// decided before it conflict, and a history must never hold a rotation up. So writing it is tried, in the background, and
// what keeps it from being written is said once.
package kubehistory
