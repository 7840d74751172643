package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var tlsModes = []string{"auto", "disable", "require", "verify-ca", "verify-full"}

func validateRedis(t Target, path *field.Path) (all field.ErrorList) {
	path = path.Child("redis")
	r := t.Redis
	if r == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if r.Pod == "" && r.Address == "" {
		all = append(all, field.Required(path.Child("pod"), ""))
	}
	all = append(all, r.validateTLS(path)...)
	all = append(all, r.validateNodes(path.Child("nodes"))...)
	return append(all, t.Server().validate(path)...)
}

func (r Redis) validateTLS(path *field.Path) field.ErrorList {
	if !slices.Contains(tlsModes, r.TLS) {
		return field.ErrorList{field.NotSupported(path.Child("tls"), r.TLS, tlsModes)}
	}
	return r.Certificates.validate("tls", r.TLS, path)
}

// validateNodes wants each node to be an object that has pods, or an address.
func (r Redis) validateNodes(path *field.Path) (all field.ErrorList) {
	for i, node := range r.Nodes {
		kind, name, found := strings.Cut(node, "/")
		switch at := path.Index(i); {
		case !found && node == "":
			all = append(all, field.Required(at, ""))
		case !found:
			all = append(all, addressErrors(node, at)...)
		case !slices.Contains([]string{"statefulset", "service", "pod"}, kind) || name == "":
			all = append(all, field.Invalid(at, node, "must be statefulset/NAME, service/NAME, pod/NAME or host:port"))
		default:
			all = append(all, optional(name, at, subdomain)...)
		}
	}
	return all
}
