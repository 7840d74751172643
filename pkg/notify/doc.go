// Package notify tells others what becomes of a rotation: a webhook in the forms of Slack, PagerDuty and plain JSON, Grafana,
// and the events of a Kubernetes object. What cannot be told is an error for somebody to see; it stops nothing. No error
// holds an address or a key that is secret.
package notify
