package config

import (
	"net"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

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
	all = append(all, optional(p.Pod, path.Child("pod"), subdomain)...)
	all = append(all, optional(p.Container, path.Child("container"), label)...)
	all = append(all, optional(p.Namespace, path.Child("namespace"), label)...)
	all = append(all, optional(p.Service, path.Child("service"), label)...)
	if p.Port < 1 || p.Port > 65535 {
		all = append(all, field.Invalid(path.Child("port"), p.Port, "must be between 1 and 65535"))
	}
	all = append(all, addressErrors(p.Address, path.Child("address"))...)
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
	}
	if !slices.Contains(strategies, p.Strategy) {
		all = append(all, field.NotSupported(path.Child("strategy"), p.Strategy, strategies))
	}
	if p.Owner != "" && p.Strategy != "alternate" {
		all = append(all, field.Forbidden(path.Child("owner"), "only the strategy alternate has to do with an owner"))
	}
	return append(all, p.Admin.validate(path.Child("admin"))...)
}

func (a Admin) validate(path *field.Path) (all field.ErrorList) {
	if a.User == "" {
		all = append(all, field.Required(path.Child("user"), ""))
	}
	return append(all, a.Secret.validate(path.Child("secret"))...)
}

func addressErrors(address string, path *field.Path) field.ErrorList {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if n, nan := strconv.ParseUint(port, 10, 16); err != nil || nan != nil || n == 0 || host == "" {
		return field.ErrorList{field.Invalid(path, address, "must be host:port, an IPv6 host in brackets")}
	}
	return nil
}
