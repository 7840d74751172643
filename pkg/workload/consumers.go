package workload

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// FieldManager is who the API server says wrote a label. It does not begin with "kubectl": Flux takes such fields
// for edits by hand and strips them.
const FieldManager = "credential-rotation"

// Consumers are the workloads of a namespace that read a Secret. It implements [rotation.Consumers]. Its fields are set
// once, before its first use; it is safe for concurrent use.
type Consumers struct {
	Client    kubernetes.Interface
	Namespace string
	Secret    string // the name of the target's Secret, after which their label is called

	// Names are the Secrets of this namespace that they read, and ConfigMaps, each as ConfigMap gives it; nil is Secret alone.
	Names []string
	// More are workloads that read it in a way that can't be seen, as "deployment/backend": through the API.
	More []string
	// Keep are workloads that are never moved, as "statefulset/postgresql": what accepts the credential often reads
	// the same Secret.
	Keep []string
	// Redact takes values out of a text. It is handed what a container that crashed said last; nil leaves
	// those words out.
	Redact func(string) string
	// Now is the API server's clock, as well as it is known; nil is the local one.
	Now func() time.Time

	mu     sync.Mutex
	owners map[types.UID]metav1.OwnerReference // what controls a ReplicaSet, which does not change
	words  map[crash]string                    // the last words of a crashed container
	blind  error                               // why no node may be asked for
	nodes  map[string]time.Time                // when a node was last seen to report, by the local clock
	moves  map[string]int                      // how often a template was given a label
}

var _ rotation.Consumers = (*Consumers)(nil)

// Workloads lists every consumer as it is now, with those of its live pods that read the Secret. Those in Keep are left
// out. A run of a CronJob is a workload of its own, which can't be moved; the CronJob is one without pods.
func (c *Consumers) Workloads(ctx context.Context) ([]rotation.Workload, error) {
	groups, m, err := c.survey(ctx)
	if err != nil {
		return nil, err
	}
	var all []rotation.Workload
	for _, g := range groups {
		if !c.keeps(g.controller) {
			all = append(all, m.workload(g))
		}
	}
	return all, nil
}

// Kept is a workload in Keep that reads the Secret, with the names of those of its containers that are handed it: the
// server itself, and perhaps a sidecar, which then has to be restarted by its owner.
type Kept struct {
	rotation.Workload
	Containers []string
}

// Kept lists the consumers in Keep.
func (c *Consumers) Kept(ctx context.Context) ([]Kept, error) {
	groups, m, err := c.survey(ctx)
	if err != nil {
		return nil, err
	}
	var all []Kept
	for _, g := range groups {
		if c.keeps(g.controller) {
			all = append(all, Kept{m.workload(g), g.readers(c.names())})
		}
	}
	return all, nil
}

func (c *Consumers) keeps(g controller) bool { return slices.Contains(c.Keep, g.id()) }

// names are the Secrets that consumers read.
func (c *Consumers) names() []string {
	if c.Names == nil {
		return []string{c.Secret}
	}
	return c.Names
}

// reads says whether the pods of spec read one of them.
func (c *Consumers) reads(spec *corev1.PodSpec) bool { return podrefs.Refers(spec, c.names()...) }

// readers are the containers that are handed the Secret, by the template and by live pods.
func (g *group) readers(secrets []string) (names []string) {
	if g.template != nil {
		names = reads(&g.template.Spec, secrets...).containers
	}
	for _, p := range g.pods {
		names = append(names, reads(&p.Spec, secrets...).containers...)
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// named says whether g is among More.
func (c *Consumers) named(g controller) bool { return slices.Contains(c.More, g.id()) }

func (c *Consumers) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
