package wiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// gates puts the gates of a target together: pods, addresses, Prometheus, logs.
func (o *Opened) gates(ctx context.Context, in opening) error {
	consumers, ok := o.Consumers.(workload.Across)
	if !ok {
		return nil
	}
	g, pods := in.target.Gates, podsOf(in.clients, consumers)
	if r := g.Ready; r != nil {
		o.Gates = append(o.Gates, o.readyGate(in, *r, pods))
	}
	for _, u := range g.URLs {
		look := gate.URL{URL: u.URL, Status: u.Status, Timeout: u.Timeout.Duration}
		o.Gates = append(o.Gates, rotation.Gate{
			Name: u.Name, Want: fmt.Sprintf("%s answers %d within %v", u.URL, u.Status, u.Timeout.Duration),
			Look: look.Look, Hold: u.Hold.Duration, Patience: u.Patience.Duration,
		})
	}
	for _, p := range g.Prometheus {
		o.Gates = append(o.Gates, o.prometheusGate(in, p))
	}
	if g.Logs.Pattern == "" {
		return nil
	}
	return o.logsGate(ctx, in, g.Logs, consumers, pods)
}

func (o *Opened) readyGate(in opening, r config.ReadyGate, pods gate.Pods) rotation.Gate {
	look := &gate.Ready{
		Pods: pods, Path: r.Path, Scheme: r.Scheme, Port: r.Port, Consumers: r.Consumers,
		Dial: func(ctx context.Context, namespace, pod, address string) (net.Conn, error) {
			return forwarded(in.clients, namespace, pod).DialContext(ctx, "tcp", address)
		},
	}
	o.onClose(look.Close)
	return rotation.Gate{
		Name: "ready", Want: fmt.Sprintf("every pod answers at %s", r.Path),
		Look: look.Look, Hold: r.Hold.Duration, Patience: r.Patience.Duration,
	}
}

// forwarded dials into a pod by a port-forward, and no other way.
func forwarded(clients *kube.Clients, namespace, pod string) *kube.Dialer {
	d := clients.Dialer(namespace, pod)
	d.Via = kube.ViaPortForward
	return d
}

// prometheusGate is a number of the monitoring that has bounds.
func (o *Opened) prometheusGate(in opening, p config.PrometheusGate) rotation.Gate {
	asked := o.prometheus(in, p.Prometheus)
	if in.only && p.Token != nil {
		o.unlooked = append(o.unlooked, fmt.Sprintf("gate %s is not looked at: a dry run and status send no token", p.Name))
		asked = func(context.Context) (*gate.Prometheus, error) {
			return nil, errors.New("a dry run and status send no token")
		}
	}
	return rotation.Gate{
		Name: p.Name, Want: fmt.Sprintf("%s is within its bounds for %v", p.Query, p.Hold.Duration), Hold: p.Hold.Duration, Patience: p.Patience.Duration,
		Look: func(ctx context.Context, rec rotation.Record) (item rotation.Item, err error) {
			monitoring, err := asked(ctx)
			if err != nil {
				return item, err
			}
			return (&gate.Bounds{Prometheus: monitoring, Query: p.Query, Min: p.Min, Max: p.Max}).Look(ctx, rec)
		},
	}
}

// tallyTime is how long counting may take: all else is done by then.
const tallyTime = 10 * time.Second

// tally counts requests that were refused, as Prometheus has them.
func (o *Opened) tally(in opening, r config.Refused) rotation.Tally {
	asked := o.prometheus(in, r.Prometheus)
	return rotation.Tally{Delay: r.Delay.Duration, Count: func(ctx context.Context, since time.Time) (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, tallyTime)
		defer cancel()
		p, err := asked(ctx)
		if err != nil {
			return 0, err
		}
		n, err := p.Total(ctx, r.Query, in.clients.Now().Sub(since))
		return int64(math.Round(n)), err
	}}
}

// prometheus is asked at an address, or through a pod. What that takes is looked for when it is asked, and not before: no way back
// waits for it, and no answer to a leak.
func (o *Opened) prometheus(in opening, p config.Prometheus) func(context.Context) (*gate.Prometheus, error) {
	namespace := cmp.Or(p.Namespace, in.namespace)
	asked := &gate.Prometheus{URL: p.URL, Client: http.DefaultClient}
	if p.URL == "" {
		way := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			pod := p.Pod
			if pod == "" {
				var err error
				if pod, err = in.clients.ReadyPodBehind(ctx, namespace, p.Service); err != nil {
					return nil, err
				}
			}
			return forwarded(in.clients, namespace, pod).DialContext(ctx, "tcp", address)
		}}
		o.onClose(way.CloseIdleConnections)
		asked.URL, asked.Client = fmt.Sprintf("http://localhost:%d", p.Port), &http.Client{Transport: way}
	}
	return func(ctx context.Context) (_ *gate.Prometheus, err error) {
		if p.Token != nil && asked.Token.Empty() {
			asked.Token, err = secretKey(ctx, in, *p.Token)
		}
		return asked, err
	}
}

// secretKey reads a value of a Secret in the target's namespace, without the end of line that a file leaves.
func secretKey(ctx context.Context, in opening, k config.KeyRef) (rotation.Secret, error) {
	value, err := in.clients.ReadKey(ctx, in.namespace, k.Name, k.Key)
	if err != nil {
		return value, in.clients.Explain(err)
	}
	text := strings.TrimSpace(string(value.Reveal()))
	if text == "" {
		return rotation.Secret{}, fmt.Errorf("key %s of secret %s/%s is empty", k.Key, in.namespace, k.Name)
	}
	return rotation.NewSecret([]byte(text)), nil
}

// logsGate reads the logs of pods where that is permitted; where it is not, that is said.
func (o *Opened) logsGate(ctx context.Context, in opening, l config.LogsGate, consumers workload.Across, pods gate.Pods) error {
	var needed []kube.Permission
	for _, c := range consumers {
		needed = append(needed, kube.Permission{Verb: "get", Resource: "pods", Subresource: "log", Namespace: c.Namespace})
	}
	missing, err := in.clients.Missing(ctx, needed)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		o.unlooked = append(o.unlooked, fmt.Sprintf("errors in the pods' logs are not looked for: that takes the permission to %s", missing[0]))
		return nil
	}
	look := &gate.Logs{
		Tail: &gate.Tail{Core: in.clients.Kube.CoreV1()}, Pods: pods, Pattern: l.Pattern, Skew: o.Skew,
		Redact:  func(text string) string { return redacted(ctx, o.Store, text) },
		Refused: o.refused, Corroborator: o.corroborator(in),
	}
	o.Gates = append(o.Gates, rotation.Gate{
		Name: "logs", Want: "no pod on the new version logs " + l.Pattern, Look: look.Look, Patience: corroboration,
	})
	return nil
}

// corroboration is how long a finding has to be confirmed without a break before its gate fails.
const corroboration = 30 * time.Second

// corroborator asks the target's own server.
func (o *Opened) corroborator(in opening) gate.Corroborator {
	return gate.Corroborator{InUse: o.inUse, Now: in.clients.Now}
}

// podsOf lists the pods of all consumers that are not on their way out.
func podsOf(clients *kube.Clients, consumers workload.Across) gate.Pods {
	return func(ctx context.Context) (all []gate.Pod, err error) {
		for _, c := range consumers {
			workloads, err := c.Workloads(ctx)
			if err != nil {
				return nil, err
			}
			list, err := clients.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("listing the pods in %s: %w", c.Namespace, err)
			}
			specs := map[string]*corev1.Pod{}
			for i := range list.Items {
				specs[list.Items[i].Name] = &list.Items[i]
			}
			for _, w := range workloads {
				all = append(all, living(c.Namespace, w, specs)...)
			}
		}
		return all, nil
	}
}

func living(namespace string, w rotation.Workload, specs map[string]*corev1.Pod) (pods []gate.Pod) {
	for _, p := range w.Pods {
		spec := specs[p.Name]
		if p.Terminating || p.Unreachable || spec == nil {
			continue
		}
		one := gate.Pod{Namespace: namespace, Name: p.Name, Workload: w.Name, Port: kube.HealthPort(spec), Known: p}
		for _, c := range spec.Spec.Containers {
			one.Containers = append(one.Containers, c.Name)
		}
		pods = append(pods, one)
	}
	return pods
}
