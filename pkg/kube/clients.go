package kube

import (
	"cmp"
	"fmt"
	"io"
	"runtime"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Requests a second that a run may send, and how many at once: kubectl's own. A rotation begins with more than a hundred looks within half
// a second; with client-go's defaults (5 and 10) it would wait for its own throttle more than for the cluster.
const (
	requestsPerSecond = 50
	requestBurst      = 300
)

// Options are what [New] needs besides kubectl's own flags.
type Options struct {
	// Version of this program, for the user agent. Empty says "unknown".
	Version string
	// Warnings gets the API server's warnings, each once, one a line. Nil drops them.
	Warnings io.Writer
}

// Clients is one context of a kubeconfig, ready to be used. It is safe for concurrent use.
type Clients struct {
	// Config is what every client of this context is made from. Copy it before changing it.
	Config *rest.Config
	// Kube is the typed client.
	Kube kubernetes.Interface
	// Metadata reads objects without what they hold.
	Metadata metadata.Interface
	// Context is the context's name, or "in-cluster" with a service account and no kubeconfig.
	Context string
	// Server is the API server's URL.
	Server string
	// Namespace is the one of -n, else the context's, else "default".
	Namespace string
	// User is who the kubeconfig says we are: the impersonated user, else the name of the user entry.
	// [Clients.WhoAmI] asks the server.
	User string

	origin string // the kubeconfig file, for hints
	clock  *clock
}

// New reads the kubeconfig that flags point at and makes clients for the chosen context. It sends nothing: no
// server is contacted before the first request, and never one of another context.
//
// Its errors name the file or the context that is wrong, and carry a hint.
func New(flags *genericclioptions.ConfigFlags, o Options) (*Clients, error) {
	place, err := locate(flags)
	if err != nil {
		return nil, err
	}
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, place.invalid(err)
	}
	namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, place.invalid(err)
	}
	prepare(config, o)
	ticking := new(clock)
	config.Wrap(ticking.watch)
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, place.invalid(err)
	}
	bare, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, place.invalid(err)
	}
	c := &Clients{
		Config: config, Kube: typed, Metadata: bare,
		Context: place.context, Server: config.Host, Namespace: namespace, User: place.user,
		origin: place.file, clock: ticking,
	}
	if as := config.Impersonate.UserName; as != "" {
		c.User = as
	}
	return c, nil
}

// prepare sets what is ours in config: throttle, user agent, and where warnings go.
func prepare(config *rest.Config, o Options) {
	config.QPS, config.Burst = requestsPerSecond, requestBurst
	version := o.Version
	if version == "" {
		version = "unknown"
	}
	config.UserAgent = fmt.Sprintf("kubectl-rotate/%s (%s/%s)", version, runtime.GOOS, runtime.GOARCH)
	config.WarningHandlerWithContext = nil // it would go before WarningHandler
	config.WarningHandler = rest.NoWarnings{}
	if o.Warnings != nil {
		config.WarningHandler = rest.NewWarningWriter(o.Warnings, rest.WarningWriterOptions{Deduplicate: true})
	}
}

// NamespaceOr is a namespace, or that of the context where it is "".
func (c *Clients) NamespaceOr(namespace string) string { return cmp.Or(namespace, c.Namespace) }
