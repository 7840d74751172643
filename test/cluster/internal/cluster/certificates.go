package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// authority signs the cluster's certificates. Its key stays in the folder for the controller manager, which signs
// requests made in Kubernetes.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// writeCertificates writes everything that proves who is who into the folder dir.
func writeCertificates(dir string, server, node netip.Addr) error {
	ca, err := newAuthority(dir, "ca")
	if err != nil {
		return fmt.Errorf("making the certificate authority: %w", err)
	}
	// An authority of its own: who shows one of its certificates may speak for anyone.
	proxyCA, err := newAuthority(dir, "front-proxy-ca")
	if err != nil {
		return fmt.Errorf("making the certificate authority: %w", err)
	}
	if err := proxyCA.issue("front-proxy", client("front-proxy")); err != nil {
		return fmt.Errorf("making the certificate front-proxy: %w", err)
	}
	certs := map[string]*x509.Certificate{
		"apiserver": serving("kube-apiserver", node, server),
		"kubelet":   serving(nodeName, node),
		// The API server's own identity towards kubelets.
		"kubelet-client": client("kube-apiserver", "system:masters"),
	}
	for name, template := range certs {
		if err := ca.issue(name, template); err != nil {
			return fmt.Errorf("making the certificate %s: %w", name, err)
		}
	}
	if _, err := writeKey(filepath.Join(dir, "service-accounts.key")); err != nil {
		return fmt.Errorf("making the key of service accounts: %w", err)
	}
	return nil
}

func serving(name string, addrs ...netip.Addr) *x509.Certificate {
	cert := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{name, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, a := range addrs {
		cert.IPAddresses = append(cert.IPAddresses, a.AsSlice())
	}
	return cert
}

func client(name string, groups ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func newAuthority(dir, name string) (*authority, error) {
	key, err := writeKey(filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "kubectl-rotate test cluster " + name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	ca := &authority{dir: dir, cert: template, key: key}
	der, err := ca.sign(name, template, key.Public())
	if err != nil {
		return nil, err
	}
	ca.cert, err = x509.ParseCertificate(der)
	return ca, err
}

func (a *authority) issue(name string, template *x509.Certificate) error {
	key, err := writeKey(filepath.Join(a.dir, name+".key"))
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	_, err = a.sign(name, template, key.Public())
	return err
}

func (a *authority) sign(name string, template *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, err
	}
	return der, writePEM(filepath.Join(a.dir, name+".crt"), "CERTIFICATE", der, 0o644)
}

// writeKey writes the older of the two forms: the API server reads no other for the keys of service accounts.
func writeKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(file, "EC PRIVATE KEY", der, 0o600)
}

func writePEM(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
