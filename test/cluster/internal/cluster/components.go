package cluster

import (
	"context"
	"fmt"
)

// component is one daemon of the cluster.
type component struct {
	name  string
	args  []string
	ready func(context.Context) error // nil for one that nothing can be asked
}

// components lists the daemons in the order in which they start; they stop in the opposite order.
func (c *Cluster) components() []component {
	return []component{
		{"etcd", c.etcd(), nil},
		{"containerd", []string{"containerd", "--config", c.path("config/containerd.toml")}, c.containerdAnswers},
		{"kube-apiserver", c.apiServer(), c.apiReady},
		{"kube-controller-manager", c.controllerManager(), nil},
		{"kube-scheduler", c.scheduler(), nil},
		{"kubelet", c.kubelet(), c.nodeReady},
		{"kube-proxy", []string{c.program("kube-proxy"), "--config=" + c.path("config/kube-proxy.yaml")}, nil},
	}
}

// Names lists the components' names.
func (c *Cluster) Names() []string {
	var names []string
	for _, one := range c.components() {
		names = append(names, one.name)
	}
	return names
}

func (c *Cluster) component(name string) (component, error) {
	for _, one := range c.components() {
		if one.name == name {
			return one, nil
		}
	}
	return component{}, fmt.Errorf("there is no component %q: they are %q", name, c.Names())
}

func (c *Cluster) startComponent(one component) error {
	return c.daemons().Start(one.name, c.namespaces().Enter(one.args...))
}

func (c *Cluster) program(name string) string { return c.path("bin", name) }

func (c *Cluster) access(file string) string { return c.path("access", file) }

func (c *Cluster) etcd() []string {
	return []string{
		"etcd", "--name=default", "--data-dir=" + c.path("etcd"), "--logger=zap", "--log-outputs=stderr",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--initial-cluster=default=http://127.0.0.1:2380",
	}
}

func (c *Cluster) apiServer() []string {
	return []string{
		c.program("kube-apiserver"),
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--advertise-address=" + c.plan.Node().String(), "--secure-port=6443",
		"--service-cluster-ip-range=" + c.plan.Services().String(),
		"--allow-privileged=true",
		"--enable-admission-plugins=NodeRestriction",
		"--authorization-mode=Node,RBAC", "--anonymous-auth=false",
		"--token-auth-file=" + c.access("tokens.csv"), "--client-ca-file=" + c.access("ca.crt"),
		"--tls-cert-file=" + c.access("apiserver.crt"), "--tls-private-key-file=" + c.access("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.access("service-accounts.key"),
		"--service-account-signing-key-file=" + c.access("service-accounts.key"),
		"--kubelet-certificate-authority=" + c.access("ca.crt"),
		"--kubelet-client-certificate=" + c.access("kubelet-client.crt"),
		"--kubelet-client-key=" + c.access("kubelet-client.key"),
		"--requestheader-client-ca-file=" + c.access("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.access("front-proxy.crt"), "--proxy-client-key-file=" + c.access("front-proxy.key"),
		// Without it exec, logs and port-forward fail with "no preferred addresses found".
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--audit-policy-file=" + c.path("config/audit.yaml"), "--audit-log-path=" + c.path("logs/audit.log"),
		"--audit-log-maxsize=2000",
	}
}

func (c *Cluster) controllerManager() []string {
	kubeconfig := c.access("kube-controller-manager.kubeconfig")
	return []string{
		c.program("kube-controller-manager"),
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--leader-elect=false", "--use-service-account-credentials=true",
		// The default lets one request through every 50 ms, and forty controllers start one after another.
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--service-account-private-key-file=" + c.access("service-accounts.key"),
		"--root-ca-file=" + c.access("ca.crt"),
		"--cluster-signing-cert-file=" + c.access("ca.crt"), "--cluster-signing-key-file=" + c.access("ca.key"),
	}
}

func (c *Cluster) scheduler() []string {
	kubeconfig := c.access("kube-scheduler.kubeconfig")
	return []string{
		c.program("kube-scheduler"),
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--leader-elect=false",
	}
}

func (c *Cluster) kubelet() []string {
	return []string{
		c.program("kubelet"),
		"--config=" + c.path("config/kubelet.yaml"), "--kubeconfig=" + c.access("kubelet.kubeconfig"),
		"--hostname-override=" + nodeName, "--node-ip=" + c.plan.Node().String(),
	}
}
