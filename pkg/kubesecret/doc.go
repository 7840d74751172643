// Package kubesecret publishes a credential in plain Kubernetes Secrets, and in ConfigMaps that
// show who verifies which versions to accept.
//
// [Store] is a ledger whose annotated Secret is the application's own: what its consumers read. A
// rotation writes the rotated keys there, and the record in an annotation beside them. [Secret] and
// [ConfigMap] are further places that the credential is published to.
package kubesecret
