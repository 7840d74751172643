package redisacl

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

// rules are of every sort that there is: keys to read only, two selectors, channels, single commands, an argument, a category.
const rules = "sanitize-payload ~config:* %R~read:* resetchannels &config:* -@all +@connection +get +subscribe +publish +config|get " +
	"(~other:* resetchannels -@all +set) (%W~log:* resetchannels -@all +append)"

// app is an application with a user of its own at some nodes.
type app struct {
	t       *testing.T
	nodes   []*redistest.Server
	server  *Server
	as      rotation.Server // server, or what is made of it
	current rotation.Credential
	lost    string // why files are lost at a restart
	aliases []string
	own     []rotation.Credential // on record beside current
	agreed  string                // the kind of question that the operator has agreed to
	notes   []string              // what he was told
}

// target is the UID of the application's Secret.
const target = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"

// newApp is an application at servers of one sort; replicas of the first where there are more.
func newApp(t *testing.T, n int, c redistest.Config) *app {
	t.Helper()
	a := &app{t: t}
	a.known("backend")
	c.Users = append([]string{a.line(rules)}, c.Users...)
	a.nodes = []*redistest.Server{redistest.For(t, c)}
	for range n - 1 {
		a.nodes = append(a.nodes, a.nodes[0].ReplicaOf(t, c))
	}
	a.server = a.another()
	a.as = a.server
	return a
}

// known gives the application a user name and a password.
func (a *app) known(name string) {
	a.current = rotation.Credential{V: 1, ID: name, Value: rotation.NewSecret([]byte("first password of " + rand.Text()))}
}

// line is the application's user as an ACL file has it.
func (a *app) line(rules string) string {
	return fmt.Sprintf("user %s on #%s %s", a.current.ID, hash(a.current.Value), rules)
}

// another is one more operator's Server over the same nodes.
func (a *app) another() *Server {
	s := &Server{
		Nodes: func(context.Context) (all []Node, _ error) {
			for i, n := range a.nodes {
				node := Node{Name: fmt.Sprintf("redis-%d", i), Address: n.Address(), Aliases: a.aliases}
				if a.lost != "" {
					node.Lost = func(string) string { return a.lost }
				}
				all = append(all, node)
			}
			return all, nil
		},
		Admin:  Admin{Passwords: []rotation.Secret{rotation.NewSecret([]byte(a.nodes[0].Password))}},
		Target: target,
		Own: func(context.Context) ([]rotation.Credential, error) {
			return append([]rotation.Credential{a.current}, a.own...), nil
		},
		Agreed: func(kind string) bool { return kind == a.agreed },
		Note:   func(text string) { a.notes = append(a.notes, text) },
	}
	a.t.Cleanup(func() { _ = s.Close() })
	return s
}

func (a *app) must(what string, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%s: %v", what, err)
	}
}

// contract is the fixture of rotationtest.Server.
func (a *app) contract() rotationtest.ServerFixture {
	server := rotation.Server(recorded{a.as, a})
	if shared, ok := a.as.(rotation.Shared); ok {
		server = recordedShared{shared, a}
	}
	return rotationtest.ServerFixture{
		Server:  server,
		Current: a.current,
		Open: func(_ *testing.T, c rotation.Credential) (func(), error) {
			conn, err := a.open(a.nodes[0], c)
			if err != nil {
				return nil, err
			}
			return func() { conn.close() }, nil
		},
	}
}

// recorded has what is generated be on record.
type recorded struct {
	rotation.Server
	a *app
}

func (r recorded) Generate(ctx context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	c, err := r.Server.Generate(ctx, v, current)
	r.a.own = append(r.a.own, c)
	return c, err
}

type recordedShared struct {
	rotation.Shared
	a *app
}

func (r recordedShared) Generate(ctx context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	return recorded{r.Shared, r.a}.Generate(ctx, v, current)
}

// connection is one of an application's.
type connection struct {
	*redis.Conn
	client *redis.Client
}

func (c connection) close() { _, _ = c.Close(), c.client.Close() }

// open connects to a node as an application would.
func (a *app) open(n *redistest.Server, c rotation.Credential) (connection, error) {
	client := n.Client(c.ID, string(c.Value.Reveal()))
	conn := connection{client.Conn(), client}
	a.t.Cleanup(conn.close)
	return conn, conn.Ping(context.Background()).Err()
}

func (a *app) opened(n *redistest.Server, c rotation.Credential) connection {
	a.t.Helper()
	conn, err := a.open(n, c)
	a.must("connecting as "+c.ID, err)
	return conn
}

// next generates and installs a new user.
func (a *app) next() rotation.Credential {
	a.t.Helper()
	c := a.generated()
	a.must("install", a.server.Install(context.Background(), pass, c))
	return c
}

func (a *app) generated() rotation.Credential {
	a.t.Helper()
	c, err := a.server.Generate(context.Background(), 2, a.current)
	a.must("generate", err)
	return c
}

// stands wants c to be treated in one way at every place, for reasons that include a phrase.
func (a *app) stands(c rotation.Credential, want rotation.Status, phrase string) {
	a.t.Helper()
	places, err := a.server.Standing(context.Background(), c)
	a.must("standing", err)
	if len(places) == 0 {
		a.t.Fatalf("%s stands nowhere", c.ID)
	}
	for _, p := range places {
		if p.Status != want || !strings.Contains(p.Proof, phrase) {
			a.t.Errorf("%s at %s: %s (%s), want %s (…%s…)", c.ID, p.Where, p.Status, p.Proof, want, phrase)
		}
	}
}

// alike wants a user to be the same as another one at every node, but for name and password.
func (a *app) alike(c, other rotation.Credential) {
	a.t.Helper()
	for i, n := range a.nodes {
		lines := [2]string{n.User(a.t, c.ID), a.line(rules)}
		if was := n.User(a.t, other.ID); was != "" {
			lines[1] = was
		}
		var users [2]user
		for j, line := range lines {
			u, err := parseUser(line)
			a.must("reading ACL LIST", err)
			users[j] = u
		}
		if users[0].can() != users[1].can() || !users[0].on || len(users[0].passwords()) != 1 || users[0].has(unfinished) || !users[0].has(hash(c.Value)) {
			a.t.Errorf("at redis-%d %s is not %s:\n%s\n%s", i, c.ID, other.ID, lines[0], lines[1])
		}
	}
}

func pass(context.Context) error { return nil }

// within waits for a condition.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		if ok() {
			return
		}
	}
	t.Fatal("not in time: " + what)
}

// text is a file's.
func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// onDefault has the application be the user default.
func (a *app) onDefault() TwoPasswords {
	a.current = rotation.Credential{V: 1, ID: Default, Value: rotation.NewSecret([]byte(a.nodes[0].Password))}
	s := TwoPasswords{Server: a.server}
	a.as = s
	return s
}
