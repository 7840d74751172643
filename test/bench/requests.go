package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// requests counts what one rotation asks the API server, through a proxy, and PostgreSQL, by pg_stat_statements.
func (b *bench) requests(ctx context.Context) ([]line, error) {
	counted := &counter{by: map[string]int{}}
	proxy, err := counted.proxy(b.config)
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := writeKubeconfig(kubeconfig, proxy.URL); err != nil {
		return nil, err
	}
	statements := b.statements
	if !b.first { // it is not PostgreSQL's
		statements = func(context.Context) (int, error) { return 0, nil }
	}
	before, err := statements(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := b.rotate(ctx, kubeconfig); err != nil {
		return nil, err
	}
	after, err := statements(ctx)
	if err != nil || !b.first {
		return counted.lines(), err
	}
	return append(counted.lines(), line{what: "SQL statements of a rotation", figure: fmt.Sprint(after - before - 1)}), nil
}

// statements is how many the administrator, and whoever tried a login, has run so far.
func (b *bench) statements(ctx context.Context) (n int, err error) {
	password, err := b.platform.SecretValue(ctx, "postgresql-admin", "postgres-password")
	if err != nil {
		return 0, err
	}
	config, err := pgx.ParseConfig("postgres://" + b.platform.PostgreSQL + "/demo-platform?sslmode=disable")
	if err != nil {
		return 0, err
	}
	config.User, config.Password, config.DefaultQueryExecMode = "postgres", password, pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements
		WHERE userid = 'postgres'::regrole OR query LIKE 'SELECT session_user::text%'`).Scan(&n)
	return n, err
}

// counter counts requests by what they ask for.
type counter struct {
	mu  sync.Mutex
	by  map[string]int
	all int
}

// proxy passes requests on to the API server, with the administrator's credentials.
func (c *counter) proxy(config *rest.Config) (*httptest.Server, error) {
	to, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS, config.NextProtos = -1, []string{"http/1.1"} // HTTP/2 has no upgrade
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	pass := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, // a watch is passed on as it comes
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.count(r)
		pass.ServeHTTP(w, r)
	})), nil
}

func (c *counter) count(r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	what := parts[len(parts)-1]
	if i := slices.Index(parts, "namespaces"); i >= 0 && len(parts) > i+2 {
		what = parts[i+2]
		if len(parts) > i+4 {
			what += "/" + parts[i+4]
		}
	}
	verb := r.Method
	if r.URL.Query().Get("watch") != "" {
		verb = "WATCH"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[verb+" "+what]++
	c.all++
}

func (c *counter) lines() []line {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []line{{what: "API requests of a rotation", figure: fmt.Sprint(c.all)}}
	for _, name := range slices.Sorted(maps.Keys(c.by)) {
		all = append(all, line{what: "  " + name, figure: fmt.Sprint(c.by[name])})
	}
	return all
}

func writeKubeconfig(path, server string) error {
	c := api.NewConfig()
	c.Clusters["bench"] = &api.Cluster{Server: server}
	c.AuthInfos["bench"] = &api.AuthInfo{}
	c.Contexts["bench"] = &api.Context{Cluster: "bench", AuthInfo: "bench"}
	c.CurrentContext = "bench"
	return clientcmd.WriteToFile(*c, path)
}
