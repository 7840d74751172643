package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

// reading is how the pods of a spec read a Secret.
type reading struct {
	any        bool     // they do, in some way
	containers []string // those that are handed it; none where only the kubelet reads it, to pull an image or to mount
	reloads    bool     // one of them sees its content change while it runs
}

// reads looks for the Secrets of the given names in everything of spec that can refer to one.
func reads(spec *corev1.PodSpec, secrets ...string) (r reading) {
	var files, mounted, given []string // volumes, and containers with a variable
	for ref := range podrefs.In(spec) {
		if !slices.Contains(secrets, ref.Object) {
			continue
		}
		r.any = true
		switch ref.Use {
		case podrefs.Variable:
			given = append(given, ref.Container)
		case podrefs.File:
			files = append(files, ref.Volume)
		case podrefs.Mount:
			mounted = append(mounted, ref.Volume)
		}
	}
	if !r.any {
		return r
	}
	for _, c := range podrefs.Containers(spec) {
		has := slices.Contains(given, c.Name)
		for _, mount := range c.VolumeMounts {
			live := slices.Contains(files, mount.Name)
			r.reloads = r.reloads || live && mount.SubPath == "" && mount.SubPathExpr == ""
			has = has || live || slices.Contains(mounted, mount.Name)
		}
		if has {
			r.containers = append(r.containers, c.Name)
		}
	}
	return r
}
