// Package serverconn is what connections to servers share, whatever the server: how TLS is verified,
// calls that take turns, errors that may pass, and hints in the words of a section of the configuration.
package serverconn

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"
)

// Mode is how much is asked of TLS. A kind of server may have a mode of its own that takes TLS where
// the server has it.
type Mode string

// The modes that servers share. Only the last two keep anybody from posing as the server.
const (
	Disable    Mode = "disable"
	Require    Mode = "require"     // TLS or nothing
	VerifyCA   Mode = "verify-ca"   // and the certificate is signed by one of RootCAs
	VerifyFull Mode = "verify-full" // and is for the node
)

// TLS is how connections are secured.
type TLS struct {
	// Mode is that of the kind of server when empty.
	Mode Mode
	// RootCAs are whose certificates are trusted. Nil is the system's.
	RootCAs *x509.CertPool
	// ServerName is the name that the certificate has to be for, where it is for none that the node goes by. Empty: it is for the
	// node's host, or one of its aliases.
	ServerName string
	// Certificate is shown to a server that wants one of its clients. Nil: none is.
	Certificate *tls.Certificate
}

// Peer is a node that TLS is spoken with. Set the fields before its first use.
type Peer struct {
	TLS
	// Hosts are what the node goes by, the one that is dialed first.
	Hosts []string

	asked atomic.Bool
}

// Asked says whether the server wants a certificate of its clients, or would like one.
func (p *Peer) Asked() bool { return p.asked.Load() }

// Names are what the node's certificate may be for.
func (p *Peer) Names() []string {
	if p.ServerName != "" {
		return []string{p.ServerName}
	}
	return p.Hosts
}

// Config is what TLS is spoken with. Certificates are verified here and not by crypto/tls: a node goes
// by several names.
func (p *Peer) Config() *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: p.Names()[0]} // VerifyConnection verifies, where the mode wants it
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		p.asked.Store(true)
		return cmp.Or(p.Certificate, new(tls.Certificate)), nil
	}
	if p.Mode == VerifyCA || p.Mode == VerifyFull {
		c.VerifyConnection = func(s tls.ConnectionState) error { return p.verify(s.PeerCertificates) }
	}
	return c
}

// verify checks a chain of certificates: who signed it, and with VerifyFull, for whom it is.
func (p *Peer) verify(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: p.RootCAs, Intermediates: between})
	if err == nil && p.Mode == VerifyFull {
		for _, name := range p.Names() {
			if err = chain[0].VerifyHostname(name); err == nil {
				return nil
			}
		}
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
