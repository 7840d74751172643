package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

// spec is a pod or a template of pods, and who makes them.
type spec struct {
	name string // "deployment/backend"
	pod  string // of a pod
	corev1.PodSpec
}

// discovery is what there is in a namespace.
type discovery struct {
	pods      []spec
	templates []spec
	secrets   map[string]map[string][]byte // those that templates read, with what they hold
	unread    []string                     // those of them that may not be read
}

// String counts what was seen.
func (d discovery) String() string {
	text := fmt.Sprintf("%d pods, %d workloads, %d Secrets that they read", len(d.pods), len(d.templates), len(d.secrets))
	if len(d.unread) > 0 {
		text += fmt.Sprintf(", and %d that may not be read (%s)", len(d.unread), strings.Join(d.unread, ", "))
	}
	return text
}

// discover reads what there is in a namespace: pods, workloads, and of the Secrets only those that workloads read.
func discover(ctx context.Context, kube kubernetes.Interface, namespace string) (d discovery, err error) {
	pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return d, fmt.Errorf("listing the pods in %s: %w", namespace, err)
	}
	for _, p := range pods.Items {
		d.pods = append(d.pods, spec{name: ownerOf(p), pod: p.Name, PodSpec: p.Spec})
	}
	if d.templates, err = templates(ctx, kube, namespace); err != nil {
		return d, err
	}
	d.secrets = map[string]map[string][]byte{}
	for _, t := range d.templates {
		for _, name := range secretsRead(t.PodSpec) {
			if _, known := d.secrets[name]; known || slices.Contains(d.unread, name) {
				continue
			}
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
	}
	return d, nil
}

// templates are those of all workloads that can be rolled.
func templates(ctx context.Context, kube kubernetes.Interface, namespace string) (all []spec, err error) {
	var deployments *appsv1.DeploymentList
	var sets *appsv1.StatefulSetList
	var daemons *appsv1.DaemonSetList
	var jobs *batchv1.CronJobList
	o := metav1.ListOptions{}
	if deployments, err = kube.AppsV1().Deployments(namespace).List(ctx, o); err != nil {
		return nil, fmt.Errorf("listing the deployments in %s: %w", namespace, err)
	}
	if sets, err = kube.AppsV1().StatefulSets(namespace).List(ctx, o); err != nil {
		return nil, fmt.Errorf("listing the statefulsets in %s: %w", namespace, err)
	}
	if daemons, err = kube.AppsV1().DaemonSets(namespace).List(ctx, o); err != nil {
		return nil, fmt.Errorf("listing the daemonsets in %s: %w", namespace, err)
	}
	if jobs, err = kube.BatchV1().CronJobs(namespace).List(ctx, o); err != nil {
		return nil, fmt.Errorf("listing the cronjobs in %s: %w", namespace, err)
	}
	for _, w := range deployments.Items {
		all = append(all, spec{name: "deployment/" + w.Name, PodSpec: w.Spec.Template.Spec})
	}
	for _, w := range sets.Items {
		all = append(all, spec{name: "statefulset/" + w.Name, PodSpec: w.Spec.Template.Spec})
	}
	for _, w := range daemons.Items {
		all = append(all, spec{name: "daemonset/" + w.Name, PodSpec: w.Spec.Template.Spec})
	}
	for _, w := range jobs.Items {
		all = append(all, spec{name: "cronjob/" + w.Name, PodSpec: w.Spec.JobTemplate.Spec.Template.Spec})
	}
	return all, nil
}

// ownerOf is who makes a pod: "statefulset/postgresql"; "" for one that stands alone.
func ownerOf(p corev1.Pod) string {
	c := metav1.GetControllerOf(&p)
	if c == nil {
		return ""
	}
	return strings.ToLower(c.Kind) + "/" + c.Name
}

// secretsRead are the Secrets that containers are given, in variables and volumes.
func secretsRead(s corev1.PodSpec) []string {
	names := map[string]bool{}
	for _, c := range slices.Concat(s.InitContainers, s.Containers) {
		for _, from := range c.EnvFrom {
			if from.SecretRef != nil {
				names[from.SecretRef.Name] = true
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				names[e.ValueFrom.SecretKeyRef.Name] = true
			}
		}
	}
	for _, v := range s.Volumes {
		if v.Secret != nil {
			names[v.Secret.SecretName] = true
		}
		if v.Projected != nil {
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					names[source.Secret.Name] = true
				}
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

// server is the first pod of a server of some kind.
func (t trait) server(p spec) bool {
	return slices.ContainsFunc(p.Containers, func(c corev1.Container) bool {
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

// servers are the pods of that kind, the first of each workload.
func (d discovery) servers(t trait) (found []spec) {
	pods := slices.Clone(d.pods)
	slices.SortFunc(pods, func(a, b spec) int { return cmp.Compare(a.pod, b.pod) })
	for _, p := range pods {
		if t.server(p) && !slices.ContainsFunc(found, func(s spec) bool { return s.name != "" && s.name == p.name }) {
			found = append(found, p)
		}
	}
	return found
}

// readers are the workloads that read a Secret, but for the servers themselves.
func (d discovery) readers(secret string, servers []spec) (names []string) {
	for _, t := range d.templates {
		own := slices.ContainsFunc(servers, func(s spec) bool { return s.name == t.name })
		if !own && slices.Contains(secretsRead(t.PodSpec), secret) {
			names = append(names, t.name)
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

func (d discovery) draft(t trait, namespace, secret string, form config.Secret, readers []string, servers []spec) config.Draft {
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
	switch i := slices.IndexFunc(servers, func(s spec) bool { return known && serves(s, at.Host) }); {
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
func serves(s spec, host string) bool {
	first, _, _ := strings.Cut(host, ".")
	_, workload, _ := strings.Cut(s.name, "/")
	for _, tail := range []string{"", "-headless", "-hl", "-rw", "-primary", "-master"} {
		if base := strings.TrimSuffix(first, tail); base == workload || base == s.pod {
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
