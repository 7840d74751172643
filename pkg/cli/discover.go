package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// discovery is what there is in a namespace.
type discovery struct {
	workloads []workload.Inventory
	secrets   map[string]map[string][]byte // those that workloads read, with what they hold
	unread    []string                     // those of them that may not be read
}

// String counts what was seen.
func (d discovery) String() string {
	pods := 0
	for _, w := range d.workloads {
		pods += len(w.Pods)
	}
	text := fmt.Sprintf("%d pods, %d workloads, %d Secrets that they read", pods, len(d.workloads), len(d.secrets))
	if len(d.unread) > 0 {
		text += fmt.Sprintf(", and %d that may not be read (%s)", len(d.unread), strings.Join(d.unread, ", "))
	}
	return text
}

// discover reads what there is in a namespace: pods, workloads, and of the Secrets only those that workloads read.
func discover(ctx context.Context, kube kubernetes.Interface, namespace string) (d discovery, err error) {
	if d.workloads, err = (&workload.Consumers{Client: kube, Namespace: namespace}).Inventory(ctx); err != nil {
		return d, err
	}
	d.secrets = map[string]map[string][]byte{}
	for _, name := range d.secretsRead() {
		found, err := kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsForbidden(err):
			d.unread = append(d.unread, name)
		case err == nil:
			d.secrets[name] = found.Data
		case !apierrors.IsNotFound(err):
			return d, err
		}
	}
	return d, nil
}

// specs are those of a workload's pods.
func specs(w workload.Inventory) (all []*corev1.PodSpec) {
	if w.Template != nil {
		all = append(all, w.Template)
	}
	for _, p := range w.Pods {
		all = append(all, &p.Spec)
	}
	return all
}

// secretsRead are the names of the Secrets that workloads read, sorted.
func (d discovery) secretsRead() []string {
	names := map[string]bool{}
	for _, w := range d.workloads {
		for _, spec := range specs(w) {
			for _, name := range podrefs.Secrets(spec) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// trait is how servers of a kind, and Secrets with a login there, are told from others.
type trait struct {
	kind   config.Kind
	port   int32
	image  *regexp.Regexp // of the server's own image
	scheme *regexp.Regexp // of connection strings
	name   *regexp.Regexp // of Secrets, where nothing better tells
}

// notAServer are images beside a database that bear its name.
var notAServer = regexp.MustCompile(`exporter|operator|bouncer|pgpool|backup|sentinel|insight|commander|proxy`)

var traits = []trait{
	{config.KindPostgres, 5432, regexp.MustCompile(`postgres|timescale|postgis|spilo`), regexp.MustCompile(`^(jdbc:)?postgres(ql)?(\+\w+)?:`), regexp.MustCompile(`postgres|pgsql|pg|db|database|sql`)},
	{config.KindRedis, 6379, regexp.MustCompile(`redis|valkey`), regexp.MustCompile(`^(redis|valkey)s?:`), regexp.MustCompile(`redis|valkey|cache`)},
}

// server says whether a pod is of a server of that kind.
func (t trait) server(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool {
		image := c.Image[strings.LastIndexByte(c.Image, '/')+1:]
		port := slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return port.ContainerPort == t.port })
		return (port || t.image.MatchString(image)) && !notAServer.MatchString(image)
	})
}

// named says whether a Secret's name is that of a login there, and not rather that of one elsewhere: redis-db.
func (t trait) named(secret string) bool {
	others := slices.ContainsFunc(traits, func(o trait) bool { return o.kind != t.kind && o.image.MatchString(secret) })
	return t.name.MatchString(secret) && (!others || t.image.MatchString(secret))
}

// drafts are the targets that what was seen makes.
func (d discovery) drafts(namespace string) (all []config.Draft) {
	for _, t := range traits {
		servers := d.servers(t)
		for _, secret := range slices.Sorted(maps.Keys(d.secrets)) {
			form, ok := guess(d.secrets[secret], t)
			if !ok || !t.named(secret) && form.DSN == "" && !d.leads(secret, t) {
				continue
			}
			readers := d.readers(secret, servers)
			if len(readers) == 0 {
				continue // only the server itself reads it
			}
			all = append(all, d.draft(t, namespace, secret, form, readers, servers))
		}
	}
	return withNames(onePerSecret(append(all, d.keyDrafts(namespace)...)))
}

// onePerSecret leaves each Secret to one target, which is the most that a file may say; what else stands in it is told.
func onePerSecret(all []config.Draft) (kept []config.Draft) {
	of := map[string]int{}
	for _, d := range all {
		i, taken := of[d.Target.Secret.Name]
		if !taken {
			of[d.Target.Secret.Name] = len(kept)
			kept = append(kept, d)
			continue
		}
		kept[i].Seen = append(kept[i].Seen, fmt.Sprintf(
			"What is for kind %s in the same Secret is in no target: a Secret belongs to one. It can be rotated once it has a Secret of its own.", d.Target.Kind))
	}
	return kept
}

// withNames gives each target a name: its kind, or, where there are several of a kind, that of its Secret as far as it may be one.
func withNames(all []config.Draft) []config.Draft {
	taken := map[string]bool{}
	for i := range all {
		t := &all[i].Target
		if count(all, t.Kind) > 1 {
			t.Name = strings.ReplaceAll(t.Secret.Name, ".", "-")
		}
		t.Name = unused(t.Name, taken)
		taken[t.Name] = true
	}
	return all
}

// unused is base as a label that is not taken yet.
func unused(base string, taken map[string]bool) string {
	tail := ""
	for n := 2; ; n++ {
		name := strings.TrimRight(base[:min(len(base), validation.DNS1123LabelMaxLength-len(tail))], "-") + tail
		if !taken[name] {
			return name
		}
		tail = fmt.Sprintf("-%d", n)
	}
}

func count(all []config.Draft, kind config.Kind) (n int) {
	for _, d := range all {
		if d.Target.Kind == kind {
			n++
		}
	}
	return n
}

// server is a workload that runs one, with the first of its pods.
type server struct{ workload, pod string }

// servers are those of that kind, by their pods.
func (d discovery) servers(t trait) (found []server) {
	for _, w := range d.workloads {
		first := ""
		for _, p := range w.Pods {
			if t.server(p) && (first == "" || p.Name < first) {
				first = p.Name
			}
		}
		if first != "" {
			found = append(found, server{w.Name, first})
		}
	}
	slices.SortFunc(found, func(a, b server) int { return cmp.Compare(a.pod, b.pod) })
	return found
}

// readers are the workloads that read a Secret, but for the servers themselves.
func (d discovery) readers(secret string, servers []server) (names []string) {
	for _, w := range d.workloads {
		own := slices.ContainsFunc(servers, func(s server) bool { return s.workload == w.Name })
		if !own && slices.ContainsFunc(specs(w), func(spec *corev1.PodSpec) bool { return podrefs.Refers(spec, secret) }) {
			names = append(names, w.Name)
		}
	}
	return names
}

func readBy(secret string, readers []string) string {
	return "Secret " + secret + " is read by " + strings.Join(readers, ", ") + "."
}

// leads says whether a connection string in a Secret is of that kind.
func (d discovery) leads(secret string, t trait) bool {
	for _, value := range d.secrets[secret] {
		if t.scheme.Match(value) {
			return true
		}
	}
	return false
}

func (d discovery) draft(t trait, namespace, secret string, form config.Secret, readers []string, servers []server) config.Draft {
	form.Name = secret
	out := config.Draft{
		Target: config.Target{Name: string(t.kind), Kind: t.kind, Namespace: namespace, Secret: form},
		Seen:   []string{readBy(secret, readers)},
	}
	at, known := secretdata.Server{}, false
	if led, err := layout(t.kind, form).Servers(d.secrets[secret]); err == nil && len(led) > 0 {
		at, known = led[0], true
		out.Seen = append(out.Seen, "Its connection string leads to "+strings.TrimSuffix(at.Host+":"+at.Port, ":")+".")
	}
	pod := ""
	switch i := slices.IndexFunc(servers, func(s server) bool { return known && serves(s, at.Host) }); {
	case i >= 0:
		pod = servers[i].pod
	case len(servers) > 0:
		pod = servers[0].pod
		if len(servers) > 1 || known {
			var pods []string
			for _, s := range servers {
				pods = append(pods, s.pod)
			}
			out.Seen = append(out.Seen, "Which server it is for was not seen: see whether "+string(t.kind)+".pod is right. There are: "+strings.Join(pods, ", ")+".")
		}
	default:
		out.Seen = append(out.Seen, "No pod of its server was seen in this namespace: say under "+string(t.kind)+" where it runs (namespace, pod, or address).")
	}
	switch t.kind {
	case config.KindRedis:
		out.Target.Redis = &config.Redis{Pod: pod}
	default:
		out.Target.Postgres = &config.Postgres{Pod: pod, Database: cmp.Or(at.Database, d.database(secret))}
	}
	return out
}

// serves says whether a host's name is that of a pod's workload, with or without what services add to it.
func serves(s server, host string) bool {
	first, _, _ := strings.Cut(host, ".")
	_, name, _ := strings.Cut(s.workload, "/")
	for _, tail := range []string{"", "-headless", "-hl", "-rw", "-primary", "-master"} {
		if base := strings.TrimSuffix(first, tail); base == name || base == s.pod {
			return true
		}
	}
	return false
}

// The keys of a login, of its password and of a database, as they are often called.
var (
	userKey     = regexp.MustCompile(`(?i)^(.*[_.-])?(user(name)?|login|pguser)$`)
	passwordKey = regexp.MustCompile(`(?i)^(.*[_.-])?(pass(word)?|pwd|pgpassword)$`)
	databaseKey = regexp.MustCompile(`(?i)^(.*[_.-])?(dbname|database|db|db[_-]name|pgdatabase)$`)
)

// guess is how a login probably stands in a Secret: in two keys, or in a connection string of that kind.
func guess(data map[string][]byte, t trait) (config.Secret, bool) {
	users, passwords := matching(data, userKey), matching(data, passwordKey)
	if len(users) > 0 && len(passwords) > 0 {
		s := config.Secret{Username: users[0], Password: passwords[0]}
		if _, err := layout(t.kind, s).Parse(data); err == nil {
			return s, true
		}
	}
	if t.kind == config.KindRedis && len(users) == 0 && len(passwords) > 0 {
		return config.Secret{Password: passwords[0]}, true // of the user default
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		s := config.Secret{DSN: key}
		if t.scheme.Match(data[key]) {
			if _, err := layout(t.kind, s).Parse(data); err == nil {
				return s, true
			}
		}
	}
	return config.Secret{}, false
}

// database is the name of the database that a key of the Secret says; "" where none does.
func (d discovery) database(secret string) string {
	for _, key := range matching(d.secrets[secret], databaseKey) {
		if name := string(d.secrets[secret][key]); len(name) < 64 && !strings.ContainsAny(name, " \n:/") {
			return name
		}
	}
	return ""
}

// matching are the keys that fit a pattern, the shortest first.
func matching(data map[string][]byte, pattern *regexp.Regexp) (found []string) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if pattern.MatchString(key) && len(data[key]) > 0 {
			found = append(found, key)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int { return len(a) - len(b) })
	return found
}
