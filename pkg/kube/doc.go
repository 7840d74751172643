// Package kube is the way to the cluster: clients made from kubectl's flags and kubeconfig, a dialer whose
// connections run through a pod's port-forward or exec subresource, the check of permissions, and the
// environment that a container was given.
//
// Nothing in it listens. A connection to a pod is one tunnel of its own through the API server, and ends with it.
package kube
