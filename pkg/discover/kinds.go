package discover

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

// Kind is how servers of a kind, and Secrets with a login there, are told from others.
type Kind struct {
	Kind   config.Kind
	Port   int32
	Image  *regexp.Regexp // of the server's own image
	Scheme *regexp.Regexp // of connection strings
	Name   *regexp.Regexp // of Secrets, where nothing better tells
	// Nameless: a Secret with a password and no user name holds a login too.
	Nameless bool
	// Layout is how a login is laid out in a Secret.
	Layout func(config.Secret) secretdata.Layout
	// Lead has a target lead to the server in a pod, "" where none was found, and to a database, "" where none is known.
	Lead func(t *config.Target, pod, database string)
}

// notAServer are images beside a database that bear its name.
var notAServer = regexp.MustCompile(`exporter|operator|bouncer|pgpool|backup|sentinel|insight|commander|proxy`)

// serves says whether a pod is of a server of that kind.
func (k Kind) serves(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool {
		image := c.Image[strings.LastIndexByte(c.Image, '/')+1:]
		port := slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return port.ContainerPort == k.Port })
		return (port || k.Image.MatchString(image)) && !notAServer.MatchString(image)
	})
}

// named says whether a Secret's name is that of a login there, and not rather that of one elsewhere: redis-db.
func (k Kind) named(secret string, among []Kind) bool {
	others := slices.ContainsFunc(among, func(o Kind) bool { return o.Kind != k.Kind && o.Image.MatchString(secret) })
	return k.Name.MatchString(secret) && (!others || k.Image.MatchString(secret))
}
