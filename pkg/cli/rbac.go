package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// rbacFlags are the flags of rbac.
type rbacFlags struct {
	via      string
	admin    string
	adminSet bool
	canary   bool
	names    bool
	split    bool
}

func rbacCommand(g *global) *cobra.Command {
	var f rbacFlags
	c := &cobra.Command{
		Use:   "rbac [TARGET]",
		Short: "Print the Role with the permissions that rotating a target takes",
		Long: `Print the Role with the permissions that rotating a target takes, for kubectl apply: of one target, or of all that are
configured, a Role for each namespace.

The rules name the objects that the cluster has now: the Secrets, the consumers, the pods of the server. After a new consumer,
print the Role anew. RBAC cannot limit create, list and watch to names. Comments say what is not limited, and why. Without a
cluster, or with --names=false, the Role covers every workload and pod of the namespace.

The Role is powerful. Whoever may change a workload can run any code in it, as any ServiceAccount of the namespace. Give the Role
only to people who may administer the namespace. --split prints a Role for reading, which is enough for status, --dry-run and
history, and a Role for changing. The Role for reading still reads the Secrets, the administrator's password among them.

Bind it with: kubectl create rolebinding kubectl-rotate --role=kubectl-rotate --user=NAME`,
		Example: `  kubectl rotate rbac -n shop | kubectl apply -f -
  kubectl rotate rbac postgres -n shop --split
  kubectl rotate rbac --names=false`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			f.adminSet = c.Flags().Changed("admin-secret")
			return g.rbac(c.Context(), args, f)
		},
	}
	c.Flags().StringVar(&f.via, "via", string(kube.ViaPortForward), "the way to the server that the Role shall allow: port-forward, exec, auto for both, direct for neither")
	c.Flags().StringVar(&f.admin, "admin-secret", "", "the Secret that holds the administrator's password, where the configuration names none; \"\" for none (default: as in the runbook, postgresql-admin or redis-admin)")
	c.Flags().BoolVar(&f.canary, "canary", false, "with what it takes to have one more pod try the new version first: to make pods and Secrets")
	c.Flags().BoolVar(&f.names, "names", true, "name the workloads and pods that the cluster has now; false: all, for consumers that come and go")
	c.Flags().BoolVar(&f.split, "split", false, "print a Role for reading and a Role for changing")
	return c
}

// rbac prints the Roles of one target, or of all.
func (g *global) rbac(ctx context.Context, args []string, f rbacFlags) error {
	var connect func() (*kube.Clients, error)
	if _, named := config.NamesConfigMap(g.config); named {
		connect = g.connect
	}
	found, _, err := g.load(ctx, connect)
	if err != nil {
		return err
	}
	targets, err := targetsNamed(found, args)
	if err != nil {
		return err
	}
	var roles []rbacv1.Role
	var unknown []string
	for _, t := range targets {
		secret := f.admin
		if !f.adminSet {
			secret = wiring.EngineOf(t.Kind).Admin
		}
		var limits *wiring.Scope
		if f.names {
			t.Namespace, limits = g.limits(ctx, t, kube.Via(f.via))
			unknown = append(unknown, limits.Unknown...)
		}
		t.Namespace = cmp.Or(t.Namespace, *g.kube.Namespace)
		roles = wiring.Granted(roles, t, kube.Via(f.via), secret, f.canary, limits)
	}
	slices.Sort(unknown)
	return wiring.PrintRoles(g.Out, roles, slices.Compact(unknown), f.split)
}

// scopeLimit is how long the cluster is asked for names: who has none still wants a Role.
const scopeLimit = 15 * time.Second

// limits are what the rules of a target can be limited to, and the namespace that the target is in.
func (g *global) limits(ctx context.Context, t config.Target, via kube.Via) (namespace string, s *wiring.Scope) {
	clients, err := g.connect()
	if err != nil {
		return t.Namespace, &wiring.Scope{Unknown: []string{fmt.Sprintf("all workloads and pods: %v", err)}}
	}
	ctx, cancel := context.WithTimeout(ctx, scopeLimit)
	defer cancel()
	return clients.NamespaceOr(t.Namespace), wiring.ScopeOf(ctx, clients, t, via)
}
