package cluster

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
)

// user is someone the API server knows by a token.
type user struct {
	Name, Token string
	groups      string // separated by commas
}

// The kubeconfig files in the folder "access", each with the user that the program is known as.
var programUsers = map[string]user{
	"kube-controller-manager": {Name: "system:kube-controller-manager"},
	"kube-scheduler":          {Name: "system:kube-scheduler"},
	"kube-proxy":              {Name: "system:kube-proxy"},
	"kubelet":                 {Name: "system:node:" + nodeName, groups: "system:nodes"},
}

// writeAccess makes the certificates, the tokens and the kubeconfig files that hold them; once for a cluster.
func (c *Cluster) writeAccess() error {
	if _, err := os.Stat(c.Kubeconfig()); err == nil {
		return nil
	}
	dir := c.path("access")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder for certificates: %w", err)
	}
	if err := writeCertificates(dir, c.plan.Services().Addr().Next(), c.plan.Node()); err != nil {
		return err
	}
	people := []user{{Name: "admin", groups: "system:masters", Token: rand.Text()}, {Name: "restricted", Token: rand.Text()}}
	all := people
	for program, u := range programUsers {
		u.Token = rand.Text()
		all = append(all, u)
		if err := c.writeKubeconfig(filepath.Join(dir, program+".kubeconfig"), u); err != nil {
			return err
		}
	}
	if err := writeTokens(filepath.Join(dir, "tokens.csv"), all); err != nil {
		return err
	}
	// Last, since its presence says that the rest is there.
	return c.writeKubeconfig(c.Kubeconfig(), people...)
}

func (c *Cluster) writeKubeconfig(file string, users ...user) error {
	ca, err := os.ReadFile(c.path("access", "ca.crt"))
	if err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	text, err := render("kubeconfig.yaml", map[string]any{
		"Server": c.server(), "CA": base64.StdEncoding.EncodeToString(ca), "Users": users,
	})
	if err != nil {
		return err
	}
	if err := writeWhole(file, text, 0o600); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}

// writeTokens writes the API server's file of static tokens: token, name, identifier, groups.
func writeTokens(file string, users []user) error {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	for _, u := range users {
		if err := w.Write([]string{u.Token, u.Name, u.Name, u.groups}); err != nil {
			return fmt.Errorf("writing the tokens: %w", err)
		}
	}
	w.Flush()
	if err := os.WriteFile(file, buf.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	return nil
}

func (c *Cluster) server() string { return "https://" + c.plan.Node().String() + ":6443" }
