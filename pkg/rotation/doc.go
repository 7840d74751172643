// Package rotation is the domain of kubectl rotate: versions of a credential, the checklist
// that moves a system from one version to another, and the short loop that walks it.
//
// A rotation is an ordered list of predicates about one target version. Each stays true under
// all later steps, so the phase of a rotation is the first predicate that is false now. Nothing
// else remembers how far a run had come: resuming is running the list again, aborting is running
// it towards the previous version.
//
// The package knows neither Kubernetes nor a database. What accepts credentials ([System],
// [Server]), what holds and publishes them ([Store]) and what reads them ([Consumers]) are
// interfaces of this package, implemented by the packages beside it.
package rotation
