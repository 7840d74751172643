// Package e2e is what a user would see: the program itself, as a process, against a real cluster with the runbook's
// platform under load. Each test has a namespace and a platform of its own. The program runs as a user who may do only
// what `kubectl rotate rbac` prints.
//
// KUBECTL_ROTATE_KUBECONFIG names the cluster: a kubeconfig with the contexts admin and restricted, as `make cluster-up`
// leaves it in .cluster/kubeconfig.
package e2e
