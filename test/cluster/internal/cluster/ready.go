package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// poll repeats a question until it is answered, the time is over, or one of the daemons has ended, which no wait mends.
func (c *Cluster) poll(ctx context.Context, ask func(context.Context) error, watched ...string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if dead := c.crashed(watched); dead != "" {
			return fmt.Errorf("%s has ended; its log says: %s", dead, c.tail(dead))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// crashed names one of the daemons that was started and has ended.
func (c *Cluster) crashed(names []string) string {
	for _, name := range names {
		if c.daemons().Crashed(name) {
			return name
		}
	}
	return ""
}

func (c *Cluster) tail(name string) string {
	log, err := os.ReadFile(c.daemons().Log(name))
	if err != nil {
		return err.Error()
	}
	return run.LastLines(string(log), 8)
}

// check tells what keeps the cluster from being whole, or nil. It looks once.
func (c *Cluster) check(ctx context.Context) error {
	if !c.namespaces().Whole() {
		return errors.New("its namespaces are not there")
	}
	if _, err := os.Stat(c.program("kubectl")); err != nil {
		return fmt.Errorf("its programs are not in the cache any more: %w", err)
	}
	for _, name := range c.Names() {
		if !c.daemons().Alive(name) {
			return fmt.Errorf("%s does not run", name)
		}
	}
	for _, ask := range []func(context.Context) error{c.containerdAnswers, c.apiReady, c.nodeReady, c.namespaceReady} {
		if err := ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) containerdAnswers(ctx context.Context) error {
	_, err := c.ctr(ctx, nil, "version")
	return err
}

func (c *Cluster) apiReady(ctx context.Context) error { return c.get(ctx, "/readyz", nil) }

func (c *Cluster) namespaceReady(ctx context.Context) error {
	return c.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
}

// nodeReady asks for a report of the kubelet that runs now: the last one of its predecessor stands for a while.
func (c *Cluster) nodeReady(ctx context.Context) error {
	var node nodeObject
	if err := c.get(ctx, "/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	began, err := c.daemons().Began("kubelet")
	if err != nil {
		return err
	}
	return node.ready(began)
}

// nodeObject is the part of a node that says how it is.
type nodeObject struct {
	Status struct {
		Conditions []struct {
			Type, Status, Message string
			LastHeartbeatTime     time.Time // in whole seconds
		}
	}
}

func (n nodeObject) ready(since time.Time) error {
	for _, cond := range n.Status.Conditions {
		switch {
		case cond.Type != "Ready":
		case cond.LastHeartbeatTime.Before(since.Truncate(time.Second)):
			return errors.New("the node has not reported since its kubelet was started")
		case cond.Status != "True":
			return fmt.Errorf("the node is not ready: %s", cond.Message)
		default:
			return nil
		}
	}
	return errors.New("the node has not reported yet")
}

// get asks the API server as the administrator, and decodes the answer into out unless that is nil.
func (c *Cluster) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server()+path, nil)
	if err != nil {
		return err
	}
	client, token, err := c.admin()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the API server: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("asking the API server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API server answers %s to %s: %s", resp.Status, path, strings.TrimSpace(string(body)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// admin returns a client that trusts the cluster's authority alone, and the administrator's token.
func (c *Cluster) admin() (*http.Client, string, error) {
	ca, err := os.ReadFile(c.access("ca.crt"))
	if err != nil {
		return nil, "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	f, err := os.Open(c.access("tokens.csv"))
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	admin, err := csv.NewReader(f).Read()
	if err != nil {
		return nil, "", fmt.Errorf("reading the tokens: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	return &http.Client{Transport: transport}, admin[0], nil
}
