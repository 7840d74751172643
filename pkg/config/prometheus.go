package config

import (
	"cmp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Prometheus is where the monitoring is asked.
type Prometheus struct {
	// URL is the address of Prometheus as seen from where kubectl rotate runs. One of url, service and pod is required.
	URL string `yaml:"url,omitempty"`
	// Service is the service of Prometheus in the cluster; the way there is a port-forward to a pod behind it.
	Service string `yaml:"service,omitempty"`
	// Pod is the pod of Prometheus, where it has a name that stays.
	Pod string `yaml:"pod,omitempty"`
	// Namespace is where the service or the pod is. Default: that of the target.
	Namespace string `yaml:"namespace,omitempty"`
	// Port is the port that Prometheus listens on in its pod. Default: 9090.
	Port int `yaml:"port,omitempty"`
	// Token is where a bearer token is kept, if Prometheus wants one.
	Token *KeyRef `yaml:"token,omitempty"`
}

// Refused is how many requests were refused, which an answer to a leak tells at its end. That it could not be told stops nothing.
type Refused struct {
	// Query is in PromQL, and gives a number of requests; {since} stands for how long ago the command was given:
	// sum(increase(http_requests_total{code="401"}[{since}])). The counters of pods that have ended, and the first of new ones, are only
	// seen as far as they were scraped: those of an ingress count all. Required.
	Query      string `yaml:"query"`
	Prometheus `yaml:",inline"`
	// Delay is how long after all else is done it is asked: no shorter than the interval at which Prometheus scrapes. Default: 30s.
	Delay *Duration `yaml:"delay,omitempty"`
}

// settle fills in what the file leaves out.
func (p Prometheus) settle() Prometheus {
	if p.URL == "" {
		p.Port = cmp.Or(p.Port, 9090)
	}
	return p
}

func (p Prometheus) validate(path *field.Path) (all field.ErrorList) {
	ways := 0
	for _, way := range []string{p.URL, p.Service, p.Pod} {
		if way != "" {
			ways++
		}
	}
	if ways != 1 {
		all = append(all, field.Required(path.Child("url"), "one of url, service and pod"))
	}
	if p.URL != "" {
		all = append(all, urlErrors(p.URL, path.Child("url"))...)
	}
	all = append(all, optional(p.Service, path.Child("service"), label)...)
	all = append(all, optional(p.Pod, path.Child("pod"), subdomain)...)
	all = append(all, optional(p.Namespace, path.Child("namespace"), label)...)
	all = append(all, portErrors(p.Port, path.Child("port"))...)
	return append(all, p.Token.validate(path.Child("token"))...)
}

// settle fills in what the file leaves out.
func (r *Refused) settle() {
	if r == nil {
		return
	}
	r.Prometheus = r.Prometheus.settle()
	if r.Delay == nil {
		r.Delay = &Duration{30 * time.Second}
	}
}

func (r *Refused) validate(path *field.Path) (all field.ErrorList) {
	if r == nil {
		return nil
	}
	at := path.Child("query")
	switch {
	case r.Query == "":
		all = append(all, field.Required(at, ""))
	case !strings.Contains(r.Query, "{since}"):
		all = append(all, field.Invalid(at, r.Query, "must say since when, as in increase(…[{since}])"))
	}
	return append(all, r.Prometheus.validate(path)...)
}

// Asked are all that a target has asked of the monitoring.
func (t Target) Asked() (all []Prometheus) {
	for _, p := range t.Gates.Prometheus {
		all = append(all, p.Prometheus)
	}
	if t.Refused != nil {
		all = append(all, t.Refused.Prometheus)
	}
	return all
}
