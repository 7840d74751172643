package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	inCluster = "in-cluster"
	tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	getConfig = "point --kubeconfig or the KUBECONFIG environment variable at the kubeconfig of your cluster"
)

// place is what a kubeconfig and the flags over it point at.
type place struct{ file, context, user string }

// locate finds the chosen context, and says what is wrong in a first user's words where client-go would go on to
// localhost:8080.
func locate(flags *genericclioptions.ConfigFlags) (place, error) {
	loader := flags.ToRawKubeConfigLoader()
	p := place{file: strings.Join(loader.ConfigAccess().GetLoadingPrecedence(), string(os.PathListSeparator))}
	if explicit := loader.ConfigAccess().GetExplicitFile(); explicit != "" {
		p.file = explicit
	}
	raw, err := loader.RawConfig()
	if err != nil {
		return p, p.unreadable(err)
	}
	p.context = first(flags.Context, raw.CurrentContext)
	known := raw.Contexts[p.context]
	switch {
	case known != nil:
		p.user = first(flags.AuthInfoName, known.AuthInfo)
		return p, p.haveCluster(raw, first(flags.ClusterName, known.Cluster), given(flags.APIServer))
	case given(flags.Context):
		return p, p.noSuchContext(raw)
	case given(flags.APIServer) || given(flags.ClusterName):
		p.user = first(flags.AuthInfoName, "")
	case len(raw.Contexts) == 0 && serviceAccount():
		p.context = inCluster
	case p.context != "":
		return p, p.noSuchContext(raw)
	default:
		return p, p.nothingChosen(raw)
	}
	return p, nil
}

func given(flag *string) bool { return flag != nil && *flag != "" }

// first is the flag's value, or otherwise where it was not given.
func first(flag *string, otherwise string) string {
	if given(flag) {
		return *flag
	}
	return otherwise
}

// serviceAccount says whether this runs in a pod that has a service account's token.
func serviceAccount() bool {
	_, err := os.Stat(tokenFile)
	return err == nil && os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

func (p place) unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return rotation.WithHint(fmt.Errorf("kubeconfig %s does not exist", p.file), getConfig)
	}
	return rotation.WithHint(fmt.Errorf("reading kubeconfig %s: %w", p.file, err),
		"see whether `kubectl config view` can read it")
}

func (p place) noSuchContext(raw api.Config) error {
	err := fmt.Errorf("context %q does not exist in %s", p.context, p.file)
	if len(raw.Contexts) == 0 {
		return rotation.WithHint(err, getConfig)
	}
	return rotation.WithHint(err, "choose one with --context: "+contextNames(raw))
}

// haveCluster refuses a context whose cluster is missing.
func (p place) haveCluster(raw api.Config, cluster string, server bool) error {
	if raw.Clusters[cluster] != nil || server {
		return nil
	}
	return p.invalid(fmt.Errorf("cluster %q does not exist", cluster))
}

func (p place) nothingChosen(raw api.Config) error {
	if len(raw.Contexts) > 0 {
		return rotation.WithHint(fmt.Errorf("no context is chosen in %s", p.file),
			"choose one with --context or `kubectl config use-context`: "+contextNames(raw))
	}
	if _, err := os.Stat(p.file); errors.Is(err, fs.ErrNotExist) {
		return p.unreadable(err)
	}
	return rotation.WithHint(fmt.Errorf("kubeconfig %s has no context", p.file), getConfig)
}

// invalid is the error of a context that exists and can't be used: a cluster, user, or file it names is missing.
func (p place) invalid(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		err = errors.New("it has no cluster")
	}
	err = fmt.Errorf("using context %q of %s: %w", p.context, p.file, err)
	if command := rotation.Command("kubectl", "config", "view", "--minify", "--context", p.context); command != "" {
		return rotation.WithHint(err, "see what it holds with `"+command+"`")
	}
	return err
}

// contextNames lists what could have been meant, a handful at most.
func contextNames(raw api.Config) string {
	const most = 8
	names := make([]string, 0, len(raw.Contexts))
	for name := range raw.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
