package config

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Gates are looked at once every pod runs on the new version, again before the old one is refused and before it is erased, and
// in between. One that stays bad stops the rotation.
type Gates struct {
	// Ready asks each pod of the consumers whether it is ready, at a path of its own.
	Ready *ReadyGate `yaml:"ready,omitempty"`
	// URLs are addresses at which users reach the application.
	URLs []URLGate `yaml:"urls,omitempty"`
	// Prometheus are numbers of the monitoring.
	Prometheus []PrometheusGate `yaml:"prometheus,omitempty"`
	// Logs looks for errors in what the pods have logged since the switch.
	Logs LogsGate `yaml:"logs"`
}

// ReadyGate asks each pod over a tunnel of its own, past the Service and the kubelet.
type ReadyGate struct {
	// Path is what is asked for: /health/ready. Required.
	Path string `yaml:"path"`
	// Port is the port in the pod. Default: that of the pod's readiness probe, else the first that it declares; a pod without any
	// is left out.
	Port int `yaml:"port,omitempty"`
	// Scheme is http or https, where no certificate is checked, as the kubelet does. Default: http.
	Scheme string `yaml:"scheme,omitempty"`
	// Consumers are those to ask, as kind/name. Default: all.
	Consumers []string `yaml:"consumers,omitempty"`
	// Hold is how long all have to answer without a break. Default: 0s.
	Hold Duration `yaml:"hold,omitempty"`
	// Patience is how long one may not, without a break, before the gate has failed. Default: 15s.
	Patience Duration `yaml:"patience,omitempty"`
}

// URLGate asks as users do, from where kubectl rotate runs.
type URLGate struct {
	// Name is what the gate is called. Default: the address's host.
	Name string `yaml:"name,omitempty"`
	// URL is the address, with http or https; a name and a password have no place in it. Required.
	URL string `yaml:"url"`
	// Status is the answer's status. Default: 200.
	Status int `yaml:"status,omitempty"`
	// Timeout is how long an answer may take. Default: 5s.
	Timeout Duration `yaml:"timeout,omitempty"`
	// Hold is how long it has to answer so without a break. Default: 0s.
	Hold Duration `yaml:"hold,omitempty"`
	// Patience is how long it may not, without a break, before the gate has failed. Default: 15s.
	Patience Duration `yaml:"patience,omitempty"`
}

// PrometheusGate is a query whose answer has bounds: every value of it has to lie between them.
type PrometheusGate struct {
	// Name is what the gate is called. Default: prometheus.
	Name string `yaml:"name,omitempty"`
	// Query is in PromQL. One that finds nothing says nothing: add `or vector(0)` where that means none. Required.
	Query string `yaml:"query"`
	// Max is the highest value that is good. Max, min or both are required.
	Max *float64 `yaml:"max,omitempty"`
	// Min is the lowest value that is good.
	Min        *float64 `yaml:"min,omitempty"`
	Prometheus `yaml:",inline"`
	// Hold is how long the value has to be good without a break. Default: 1m.
	Hold *Duration `yaml:"hold,omitempty"`
	// Patience is how long it may be bad, without a break, before the gate has failed. Default: 15s.
	Patience Duration `yaml:"patience,omitempty"`
}

// LogsGate looks for lines in the logs of pods on the new version. A line alone fails nothing, since any client may cause one: the gate
// waits while they go on. It fails where the pod is not ready, or the server sees no session of the new version.
type LogsGate struct {
	// Pattern is a regular expression (RE2); {login} stands for the logins of the old and of the new version. Nothing turns the gate
	// off. Default of kind postgres: password authentication failed for user.{0,3}{login}. Of other kinds: nothing. Of kind redis the
	// server's own ACL LOG is asked instead, which names the login.
	Pattern string `yaml:"pattern"`
}

// The defaults of gates.
const (
	defaultPatience = 15 * time.Second
	defaultHold     = time.Minute // of a number, which is an average over some time itself
)

// settle fills in what the file leaves out.
func (g Gates) settle() Gates {
	patient := func(d *Duration) {
		if d.Duration == 0 {
			d.Duration = defaultPatience
		}
	}
	if g.Ready != nil {
		g.Ready.Scheme = cmp.Or(g.Ready.Scheme, "http")
		patient(&g.Ready.Patience)
	}
	for i := range g.URLs {
		u := &g.URLs[i]
		if parsed, err := url.Parse(u.URL); err == nil {
			u.Name = cmp.Or(u.Name, parsed.Hostname())
		}
		u.Status = cmp.Or(u.Status, 200)
		u.Timeout.Duration = cmp.Or(u.Timeout.Duration, 5*time.Second)
		patient(&u.Patience)
	}
	for i := range g.Prometheus {
		p := &g.Prometheus[i]
		p.Name = cmp.Or(p.Name, "prometheus")
		if p.Hold == nil {
			p.Hold = &Duration{defaultHold}
		}
		p.Prometheus = p.Prometheus.settle()
		patient(&p.Patience)
	}
	return g
}

func (g Gates) validate(path *field.Path) (all field.ErrorList) {
	names := map[string]bool{"ready": g.Ready != nil, "logs": g.Logs.Pattern != "", "refusals": true}
	named := func(name string, at *field.Path) {
		if name == "" {
			return // of an address that is none, which is said
		}
		if names[name] {
			all = append(all, field.Invalid(at, name, "is the name of another gate: give this one a name of its own"))
		}
		names[name] = true
		if len(name) > 63 {
			all = append(all, field.TooLong(at, name, 63))
		}
	}
	if g.Ready != nil {
		all = append(all, g.Ready.validate(path.Child("ready"))...)
	}
	for i, u := range g.URLs {
		at := path.Child("urls").Index(i)
		named(u.Name, at.Child("name"))
		all = append(all, u.validate(at)...)
	}
	for i, p := range g.Prometheus {
		at := path.Child("prometheus").Index(i)
		named(p.Name, at.Child("name"))
		all = append(all, p.validate(at)...)
	}
	if _, err := regexp.Compile(strings.ReplaceAll(g.Logs.Pattern, "{login}", "x")); err != nil {
		all = append(all, field.Invalid(path.Child("logs", "pattern"), g.Logs.Pattern, err.Error()))
	}
	return all
}

func (r ReadyGate) validate(path *field.Path) (all field.ErrorList) {
	all = append(all, pathErrors(r.Path, path.Child("path"))...)
	all = append(all, portErrors(r.Port, path.Child("port"))...)
	if schemes := []string{"http", "https"}; !slices.Contains(schemes, r.Scheme) {
		all = append(all, field.NotSupported(path.Child("scheme"), r.Scheme, schemes))
	}
	for i, w := range r.Consumers {
		all = append(all, consumerErrors(w, path.Child("consumers").Index(i))...)
	}
	return all
}

func (u URLGate) validate(path *field.Path) (all field.ErrorList) {
	all = append(all, urlErrors(u.URL, path.Child("url"))...)
	if u.Status < 100 || u.Status > 599 {
		all = append(all, field.Invalid(path.Child("status"), u.Status, "must be between 100 and 599"))
	}
	return all
}

func (p PrometheusGate) validate(path *field.Path) (all field.ErrorList) {
	if p.Query == "" {
		all = append(all, field.Required(path.Child("query"), ""))
	}
	if p.Max == nil && p.Min == nil {
		all = append(all, field.Required(path.Child("max"), "max, min or both"))
	}
	if p.Max != nil && p.Min != nil && *p.Max < *p.Min {
		all = append(all, field.Invalid(path.Child("max"), *p.Max, "is lower than min"))
	}
	return append(all, p.Prometheus.validate(path)...)
}

// portErrors wants a port, or none.
func portErrors(port int, path *field.Path) field.ErrorList {
	if port < 0 || port > 65535 {
		return field.ErrorList{field.Invalid(path, port, "must be between 1 and 65535")}
	}
	return nil
}

// pathErrors wants what can be asked of a pod.
func pathErrors(text string, path *field.Path) field.ErrorList {
	if !strings.HasPrefix(text, "/") {
		return field.ErrorList{field.Invalid(path, text, "must begin with a slash")}
	}
	if _, err := url.ParseRequestURI(text); err != nil {
		return field.ErrorList{field.Invalid(path, text, "is no path of an address")}
	}
	return nil
}

// urlErrors wants an address that can be shown: what is secret in one comes from a Secret.
func urlErrors(text string, path *field.Path) field.ErrorList {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return field.ErrorList{field.Required(path, "")}
	case err != nil: // it may hold a password that could not be told from the rest
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be an address such as https://api.example.com/health/ready")}
	case u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return field.ErrorList{field.Invalid(path, text, "must be an address such as https://api.example.com/health/ready")}
	case u.User != nil:
		return field.ErrorList{field.Invalid(path, u.Redacted(), "a name and a password have no place here")}
	}
	return nil
}

// validate wants both names, or no reference.
func (k *KeyRef) validate(path *field.Path) (all field.ErrorList) {
	if k == nil {
		return nil
	}
	all = append(all, nameErrors(k.Name, path.Child("name"), subdomain)...)
	return append(all, nameErrors(k.Key, path.Child("key"), dataKey)...)
}
