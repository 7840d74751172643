package config

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Certificates are those by which a server and its clients know each other in TLS.
type Certificates struct {
	// CA is where the certificates are kept of those who may have signed the server's, as PEM. Default: those that the system trusts.
	CA *KeyRef `yaml:"ca,omitempty"`
	// ServerName is the name that the server's certificate has to be for. Default: the host of its address, or an address or name of
	// its pod, or a name of the service that the pod was found behind.
	ServerName string `yaml:"serverName,omitempty"`
	// Certificate is a Secret of the type kubernetes.io/tls, which is shown to a server that wants a certificate of its clients.
	// Default: none is.
	Certificate string `yaml:"certificate,omitempty"`
}

// validate wants them to be of use in a mode of TLS, which word is for.
func (c Certificates) validate(word, mode string, path *field.Path) (all field.ErrorList) {
	all = c.CA.validate(path.Child("ca"))
	if c.CA != nil && mode != "verify-ca" && mode != "verify-full" {
		all = append(all, field.Forbidden(path.Child("ca"), fmt.Sprintf("no certificate is checked unless %s is verify-ca or verify-full", word)))
	}
	if c.ServerName != "" && mode != "verify-full" {
		all = append(all, field.Forbidden(path.Child("serverName"), fmt.Sprintf("no name is checked unless %s is verify-full", word)))
	}
	if c.Certificate != "" && mode == "disable" {
		all = append(all, field.Forbidden(path.Child("certificate"), "it is shown in TLS alone, which is disabled"))
	}
	return append(all, optional(c.Certificate, path.Child("certificate"), subdomain)...)
}

// secrets are those that hold them.
func (c Certificates) secrets() (names []string) {
	if c.CA != nil {
		names = append(names, c.CA.Name)
	}
	if c.Certificate != "" {
		names = append(names, c.Certificate)
	}
	return names
}
