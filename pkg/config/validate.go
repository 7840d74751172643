package config

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validate(c Config) (all field.ErrorList) {
	if c.APIVersion != APIVersion {
		all = append(all, field.NotSupported(field.NewPath("apiVersion"), c.APIVersion, []string{APIVersion}))
	}
	all = append(all, protectedErrors(c.Protected, field.NewPath("protected"))...)
	path := field.NewPath("targets")
	if len(c.Targets) == 0 {
		all = append(all, field.Required(path, "a file without targets has nothing to rotate"))
	}
	for i, t := range c.Targets {
		all = append(all, t.validate(path.Index(i))...)
	}
	return append(all, unique(c.Targets, path)...)
}

// unique wants each name once, and each Secret in one target: two would undo each other's work.
func unique(targets []Target, path *field.Path) (all field.ErrorList) {
	names, secrets := map[string]bool{}, map[string]string{}
	for i, t := range targets {
		at := path.Index(i)
		if names[t.Name] && t.Name != "" {
			all = append(all, field.Duplicate(at.Child("name"), t.Name))
		}
		names[t.Name] = true
		for j, s := range t.Secrets() {
			where := at.Child("secret", "name")
			if j > 0 {
				where = at.Child("also").Index(j - 1).Child("name")
			}
			key := s.Namespace + "/" + s.Name
			if other, taken := secrets[key]; taken && s.Name != "" {
				all = append(all, field.Invalid(where, s.Name, fmt.Sprintf("is a Secret of %s already", other)))
			}
			if secrets[key] == "" {
				secrets[key] = at.String()
			}
		}
	}
	return all
}

// validate looks at a target. Of one whose kind is not known nothing else can be said.
func (t Target) validate(path *field.Path) (all field.ErrorList) {
	k, known := kinds()[t.Kind]
	if !known {
		return field.ErrorList{unknownKind(t.Kind, path.Child("kind"))}
	}
	all = append(all, nameErrors(t.Name, path.Child("name"), label)...)
	all = append(all, optional(t.Namespace, path.Child("namespace"), label)...)
	all = append(all, t.Secret.validate(path.Child("secret"))...)
	if t.Secret.Namespace != "" {
		all = append(all, field.Forbidden(path.Child("secret", "namespace"), "the namespace of a target's own secret is the target's"))
	}
	for i, s := range t.Also {
		all = append(all, s.validate(path.Child("also").Index(i))...)
	}
	for i, w := range t.Consumers {
		all = append(all, consumerErrors(w, path.Child("consumers").Index(i))...)
	}
	for i, place := range t.Ignore {
		all = append(all, ignoreErrors(place, path.Child("ignore").Index(i))...)
	}
	if t.Interval.Duration == 0 {
		all = append(all, field.Invalid(path.Child("interval"), t.Interval.String(), "must be longer than nothing"))
	}
	all = append(all, t.Before.validate(path.Child("before"))...)
	all = append(all, outputErrors(t.PodOutput, path.Child("podOutput"))...)
	all = append(all, t.Gates.validate(path.Child("gates"))...)
	all = append(all, t.Refused.validate(path.Child("refused"))...)
	for i, n := range t.Notify {
		all = append(all, n.validate(path.Child("notify").Index(i))...)
	}
	all = append(all, t.Grafana.validate(path.Child("grafana"))...)
	return append(all, k.validate(t, path)...)
}

func unknownKind(k Kind, path *field.Path) *field.Error {
	if k == "" {
		return field.Required(path, "")
	}
	return field.NotSupported(path, k, kindNames())
}

func (s Secret) validate(path *field.Path) (all field.ErrorList) {
	all = append(all, nameErrors(s.Name, path.Child("name"), subdomain)...)
	all = append(all, optional(s.Namespace, path.Child("namespace"), label)...)
	for _, k := range []struct{ name, key string }{{"username", s.Username}, {"password", s.Password}, {"dsn", s.DSN}} {
		all = append(all, optional(k.key, path.Child(k.name), dataKey)...)
	}
	if s.Login != "" && s.Username != "" {
		all = append(all, field.Forbidden(path.Child("login"), "the login is in the key given as username"))
	}
	if s.DSN != "" && s.Password != "" {
		all = append(all, field.Forbidden(path.Child("dsn"), "the password is in the key given as password; connection strings in other keys are found by looking"))
	}
	if s.DSN != "" && s.Username != "" {
		all = append(all, field.Forbidden(path.Child("username"), "the login is read from the key given as dsn"))
	}
	for i, key := range s.Copies {
		if slices.Contains(s.Ignore, key) {
			all = append(all, field.Invalid(path.Child("copies").Index(i), key, "is among the keys to ignore"))
		}
	}
	return all
}
