package config

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var sslModes = []string{"disable", "prefer", "require", "verify-ca", "verify-full"}

var strategies = []string{"alternate", "clone", "same-user"}

func validatePostgres(t Target, path *field.Path) (all field.ErrorList) {
	path = path.Child("postgres")
	p := t.Postgres
	if p == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if p.Pod != "" && p.Service != "" {
		all = append(all, field.Forbidden(path.Child("service"), "the server is the pod given as pod"))
	}
	all = append(all, t.Server().validate(path)...)
	all = append(all, optional(p.Service, path.Child("service"), label)...)
	for i, address := range p.Through {
		if at := path.Child("through").Index(i); address == "" {
			all = append(all, field.Required(at, ""))
		} else {
			all = append(all, addressErrors(address, at)...)
		}
	}
	if p.Database == "" {
		all = append(all, field.Required(path.Child("database"), ""))
	}
	if !slices.Contains(sslModes, p.SSLMode) {
		all = append(all, field.NotSupported(path.Child("sslmode"), p.SSLMode, sslModes))
	} else {
		all = append(all, p.Certificates.validate("sslmode", p.SSLMode, path)...)
	}
	if !slices.Contains(strategies, p.Strategy) {
		all = append(all, field.NotSupported(path.Child("strategy"), p.Strategy, strategies))
	}
	if p.Owner != "" && p.Strategy != "alternate" {
		all = append(all, field.Forbidden(path.Child("owner"), "only the strategy alternate has to do with an owner"))
	}
	return all
}
