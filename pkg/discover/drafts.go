package discover

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

// Drafts are the targets that what was seen makes.
func (d Found) Drafts() (all []config.Draft) {
	for _, t := range d.kinds {
		servers := d.servers(t)
		for _, secret := range slices.Sorted(maps.Keys(d.secrets)) {
			form, ok := guess(d.secrets[secret], t)
			if !ok || !t.named(secret, d.kinds) && form.DSN == "" && !d.leads(secret, t) {
				continue
			}
			readers := d.readers(secret, servers)
			if len(readers) == 0 {
				continue // only the server itself reads it
			}
			all = append(all, d.draft(t, secret, form, readers, servers))
		}
	}
	return withNames(onePerSecret(append(all, d.keyDrafts()...)))
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

func readBy(secret string, readers []string) string {
	return "Secret " + secret + " is read by " + strings.Join(readers, ", ") + "."
}

// leads says whether a connection string in a Secret is of that kind.
func (d Found) leads(secret string, t Kind) bool {
	for _, value := range d.secrets[secret] {
		if t.Scheme.Match(value) {
			return true
		}
	}
	return false
}

func (d Found) draft(t Kind, secret string, form config.Secret, readers []string, servers []server) config.Draft {
	form.Name = secret
	out := config.Draft{
		Target: config.Target{Name: string(t.Kind), Kind: t.Kind, Namespace: d.namespace, Secret: form},
		Seen:   []string{readBy(secret, readers)},
	}
	at, known := secretdata.Server{}, false
	if led, err := t.Layout(form).Servers(d.secrets[secret]); err == nil && len(led) > 0 {
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
			out.Seen = append(out.Seen, "Which server it is for was not seen: see whether "+string(t.Kind)+".pod is right. There are: "+strings.Join(pods, ", ")+".")
		}
	default:
		out.Seen = append(out.Seen, "No pod of its server was seen in this namespace: say under "+string(t.Kind)+" where it runs (namespace, pod, or address).")
	}
	t.Lead(&out.Target, pod, cmp.Or(at.Database, d.database(secret)))
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
func guess(data map[string][]byte, t Kind) (config.Secret, bool) {
	users, passwords := matching(data, userKey), matching(data, passwordKey)
	if len(users) > 0 && len(passwords) > 0 {
		s := config.Secret{Username: users[0], Password: passwords[0]}
		if _, err := t.Layout(s).Parse(data); err == nil {
			return s, true
		}
	}
	if t.Nameless && len(users) == 0 && len(passwords) > 0 {
		return config.Secret{Password: passwords[0]}, true // of the user default
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		s := config.Secret{DSN: key}
		if t.Scheme.Match(data[key]) {
			if _, err := t.Layout(s).Parse(data); err == nil {
				return s, true
			}
		}
	}
	return config.Secret{}, false
}

// database is the name of the database that a key of the Secret says; "" where none does.
func (d Found) database(secret string) string {
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
