package config

import (
	"net"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Server is where the server of a target runs and who administers it, whatever its kind.
type Server struct {
	Section   string // of the file: postgres
	Pod       string // "" where it is to be found behind Service
	Service   string
	Container string // "" where it is to be found out
	Namespace string // "" is the target's
	Port      int
	Address   string
	Admin     Admin
	Secrets   []string // that TLS takes
}

// Server is the server of t.
func (t Target) Server() Server {
	switch {
	case t.Postgres != nil:
		p := t.Postgres
		return Server{"postgres", p.Pod, p.Service, p.Container, p.Namespace, p.Port, p.Address, p.Admin, p.secrets()}
	case t.Redis != nil:
		r := t.Redis
		return Server{"redis", r.Pod, "", r.Container, r.Namespace, r.Port, r.Address, r.Admin, r.secrets()}
	case t.JWT != nil && t.JWT.Sessions != nil:
		r := t.JWT.Sessions.Redis
		return Server{"jwt.sessions.redis", r.Pod, "", r.Container, r.Namespace, r.Port, r.Address, r.Admin, r.secrets()}
	}
	return Server{}
}

// validate looks at what all servers have. path is that of the section.
func (s Server) validate(path *field.Path) (all field.ErrorList) {
	all = append(all, optional(s.Pod, path.Child("pod"), subdomain)...)
	all = append(all, optional(s.Container, path.Child("container"), label)...)
	all = append(all, optional(s.Namespace, path.Child("namespace"), label)...)
	if s.Port < 1 || s.Port > 65535 {
		all = append(all, field.Invalid(path.Child("port"), s.Port, "must be between 1 and 65535"))
	}
	all = append(all, addressErrors(s.Address, path.Child("address"))...)
	return append(all, s.Admin.validate(path.Child("admin"))...)
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
