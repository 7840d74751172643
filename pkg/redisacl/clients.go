package redisacl

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// client is a line of CLIENT LIST.
type client struct {
	id, name, user, flags string
	host                  string // "" for a local socket
	subscribed            int    // channels, patterns and shard channels
	since                 time.Time
}

// clients are the connections of a node, the times by its own clock.
func (n *session) clients(ctx context.Context, filter ...string) ([]client, error) {
	at, err := n.clock(ctx)
	if err != nil {
		return nil, err
	}
	text, err := n.text(ctx, append([]string{"CLIENT", "LIST"}, filter...)...)
	if err != nil {
		return nil, err
	}
	var all []client
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, parseClient(line, at))
		}
	}
	return all, nil
}

// clock is the node's, in whole seconds as its ages are.
func (n *session) clock(ctx context.Context) (time.Time, error) {
	now, err := n.texts(ctx, "TIME")
	if err != nil || len(now) == 0 {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(now[0], 10, 64)
	return time.Unix(seconds, 0), err
}

// parseClient reads "id=3 addr=10.0.0.7:1234 name= age=5 flags=N sub=1 psub=0 user=backend …".
func parseClient(line string, now time.Time) client {
	fields := map[string]string{}
	for _, word := range strings.Fields(line) {
		name, value, _ := strings.Cut(word, "=")
		fields[name] = value
	}
	c := client{id: fields["id"], name: fields["name"], user: fields["user"], flags: fields["flags"]}
	if host, port, err := net.SplitHostPort(fields["addr"]); err == nil && port != "0" {
		c.host = host
	}
	for _, kind := range []string{"sub", "psub", "ssub"} {
		count, _ := strconv.Atoi(fields[kind])
		c.subscribed += count
	}
	age, _ := strconv.ParseInt(fields["age"], 10, 64)
	c.since = now.Add(-time.Duration(age) * time.Second)
	return c
}

// replicates says whether another node is behind a connection: a replica, a primary, or a Sentinel that watches.
func (c client) replicates() string {
	switch {
	case strings.HasPrefix(c.name, "sentinel-"):
		return "a Sentinel"
	case strings.ContainsRune(c.flags, 'S'):
		return "a replica"
	case strings.ContainsRune(c.flags, 'M'):
		return "a primary"
	}
	return ""
}

// session is the connection as the core knows it.
func (c client) session(node string) rotation.Session {
	app := cmp.Or(c.name, c.replicates())
	if c.subscribed > 0 {
		app = strings.TrimPrefix(app+", subscribed", ", ")
	}
	return rotation.Session{ID: c.id, Node: node, Address: c.host, App: app, Since: c.since}
}

// of are the connections of one user, all of them: a client chooses its own name, so a name exempts nothing.
func (n *session) of(ctx context.Context, name string) ([]client, error) {
	all, err := n.clients(ctx)
	return slices.DeleteFunc(all, func(c client) bool { return c.user != name }), err
}
