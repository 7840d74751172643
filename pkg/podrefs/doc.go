// Package podrefs lists what a pod's spec refers to: the Secrets and ConfigMaps in its variables and
// its volumes, and those that the kubelet needs itself, to pull an image or to mount a volume.
//
// It is the only walker over these references. So whoever asks who reads a Secret gets the same
// answer: a rotation, `config init`, the canary's copy of a pod.
package podrefs
