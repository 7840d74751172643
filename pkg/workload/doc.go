// Package workload is [rotation.Consumers] over a namespace: which workloads read a Secret, what each of their pods may
// have read, how their rollouts get on, and how they are made to read it anew.
//
// A workload is moved by one label on its pod template, the number of an edition, and by nothing else: with the former
// number, or none, the template is what it was before, so that a Deployment goes back to the ReplicaSet that it
// has still got instead of making new pods.
//
// Times are those of the API server and the kubelets.
package workload
