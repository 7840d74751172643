// Package rotationtest holds what every implementation of a seam of package rotation must pass, and an
// in-memory world in which every order of events around a rotation is tried.
//
// [Server] and [Store] are contract suites: an adapter's tests hand them the real thing. [Search] walks all states that
// operators, crashes, controllers, kubelets and clients can bring about in a [World], and looks at each for a consumer
// that holds what its server refuses.
package rotationtest
