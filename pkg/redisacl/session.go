package redisacl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// session is the admin's connection to one node. It stays open from call to call; once it breaks, it is over: a command is never
// sent again by itself, since its fence was passed for the first time only.
type session struct {
	node   Node
	dialer *dialer
	client *redis.Client
	conn   *redis.Conn
	leaked bool // the value in use has: a script that keeps the node from everything else is ended

	// read at the beginning of each call, the storage at that of the first
	storage storage
	known   bool              // the storage is
	config  map[string]string // what INFO says of the server and its replication
}

// quiet keeps what go-redis would say of its own accord off the terminal: what matters comes back as an error.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var hush = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

// connection patience: how long one node may take to be connected to, so that one that is silent leaves time for the others.
const reachPatience = 10 * time.Second

// stall is how long a command may take, and how old a look at the record may be that it stands on.
const stall = 10 * time.Second

// client is a client of one connection that says nothing but what it is told to.
func (d *dialer) client(user string, password rotation.Secret) *redis.Client {
	hush()
	return redis.NewClient(&redis.Options{
		Addr: d.node.Address, Dialer: d.dial, Username: user, Password: string(password.Reveal()),
		Protocol: 2, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		DialTimeout: reachPatience, ReadTimeout: stall, WriteTimeout: stall,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// login connects the admin, with the first password that is accepted.
func (s *Server) login(ctx context.Context, node Node) (*session, error) {
	n := &session{node: node, dialer: &dialer{node: node, peer: &serverconn.Peer{TLS: s.TLS, Hosts: node.hosts()}}, leaked: s.Leaked}
	passwords := append(append([]rotation.Secret{}, s.Admin.Passwords...), s.known...)
	if len(passwords) == 0 {
		passwords = []rotation.Secret{{}}
	}
	var err error
	for _, p := range passwords {
		if err = n.enter(ctx, s.admin(), p); err == nil || !refusal(err) {
			break
		}
	}
	if err != nil {
		return nil, s.admission(section.Bare(err, n.dialer.peer))
	}
	return n, nil
}

// enter logs in and wants the server to say that it knows who came: after an AUTH that failed, commands run as
// the user that the connection had before.
func (n *session) enter(ctx context.Context, user string, password rotation.Secret) error {
	as := user
	if password.Empty() {
		as = ""
	}
	n.client = n.dialer.client(as, password)
	n.conn = n.client.Conn()
	who, err := n.text(ctx, "ACL", "WHOAMI")
	if err == nil && who != user {
		err = rotation.Refuse(fmt.Errorf("came in as %q instead of %q", who, user))
	}
	if err == nil {
		err = n.run(ctx, "CLIENT", "SETNAME", Application)
	}
	if err != nil {
		n.close()
	}
	return err
}

func (n *session) close() {
	_ = n.conn.Close()
	_ = n.client.Close()
}

// do runs one command. A node that a script keeps busy has not run it: where the value in use has leaked, the script is ended first.
func (n *session) do(ctx context.Context, args ...string) (any, error) {
	for try := 0; ; try++ {
		answer, err := n.conn.Do(ctx, anys(args)...).Result()
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		err = explain(err)
		if code(err) != "BUSY" || !n.leaked || try == breakTries {
			return answer, err
		}
		if failed := n.breakOff(ctx); failed != nil {
			return nil, rotation.WithHint(fmt.Errorf("%w; ending the script: %w", err, failed), "end it with SCRIPT KILL, or restart the node")
		}
	}
}

// breakTries is how often a script is ended that keeps a node busy: whoever has the leaked value may start the next one.
const breakTries = 200

// breakOff ends the script or the function that a node is busy with. That there is none any more is no error.
func (n *session) breakOff(ctx context.Context) error {
	var errs []error
	for _, kind := range []string{"SCRIPT", "FUNCTION"} {
		err := explain(n.conn.Do(ctx, kind, "KILL").Err())
		if err == nil || code(err) == "NOTBUSY" {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// batch is the answers to several commands that are sent at once, which takes one round trip. Each has to be a text.
func (n *session) batch(ctx context.Context, commands [][]string) ([]string, error) {
	texts := make([]string, len(commands))
	for i, one := range n.send(ctx, commands) {
		var err error
		if texts[i], err = one.Text(); err != nil {
			return nil, wrap(explain(err), "%s", command(commands[i]))
		}
	}
	return texts, nil
}

// send sends several commands at once. Each has an error of its own.
func (n *session) send(ctx context.Context, commands [][]string) []*redis.Cmd {
	pipe := n.conn.Pipeline()
	sent := make([]*redis.Cmd, len(commands))
	for i, args := range commands {
		sent[i] = pipe.Do(ctx, anys(args)...)
	}
	_, _ = pipe.Exec(ctx)
	return sent
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, one := range texts {
		all[i] = one
	}
	return all
}

// run runs a command whose answer does not matter.
func (n *session) run(ctx context.Context, args ...string) error {
	_, err := n.do(ctx, args...)
	return wrap(err, "%s", command(args))
}

// command is a command for people: without what follows its name.
func command(args []string) string { return strings.Join(args[:min(2, len(args))], " ") }

func (n *session) text(ctx context.Context, args ...string) (string, error) {
	answer, err := n.do(ctx, args...)
	text, _ := answer.(string)
	return text, wrap(err, "%s", command(args))
}

// texts is an answer that is a list of texts.
func (n *session) texts(ctx context.Context, args ...string) (all []string, err error) {
	answer, err := n.do(ctx, args...)
	list, _ := answer.([]any)
	for _, one := range list {
		if text, ok := one.(string); ok {
			all = append(all, text)
		}
	}
	return all, wrap(err, "%s", command(args))
}

// setting is one of CONFIG GET; "" for one that the server does not know.
func (n *session) setting(ctx context.Context, name string) (string, error) {
	pair, err := n.texts(ctx, "CONFIG", "GET", name)
	if err != nil || len(pair) < 2 {
		return "", err
	}
	return pair[1], nil
}

// look asks a node what it is; it also tells whether the session still lives.
func (n *session) look(ctx context.Context) error {
	text, err := n.text(ctx, "INFO")
	if err != nil {
		return err
	}
	n.config = map[string]string{}
	for _, line := range strings.Split(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			n.config[name] = value
		}
	}
	if n.known {
		return nil
	}
	file, err := n.setting(ctx, "aclfile") // which a running server does not change
	n.storage, n.known = storageOf(n.node, file, n.config["config_file"]), err == nil
	return err
}

// version is of the protocol's commands, as 7.0 is 7000. Valkey says which of Redis's it has taken over.
func (n *session) version() int {
	parts := strings.SplitN(n.config["redis_version"], ".", 3)
	major, _ := strconv.Atoi(parts[0])
	minor := 0
	if len(parts) > 1 {
		minor, _ = strconv.Atoi(parts[1])
	}
	return major*1000 + minor
}

// users are all there are at a node, by their names.
func (n *session) users(ctx context.Context) (map[string]*user, error) {
	lines, err := n.texts(ctx, "ACL", "LIST")
	if err != nil {
		return nil, err
	}
	all := map[string]*user{}
	for _, line := range lines {
		u, err := parseUser(line)
		if err != nil {
			return nil, err
		}
		all[u.name] = &u
	}
	return all, nil
}

// alone ends the administrator's connections of other runs, and marks this one as that of a run. A client of another user may have
// the same name: it is no run, and any number of them must not take time here.
func (n *session) alone(ctx context.Context, admin string) error {
	all, err := n.of(ctx, admin)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.name == runs {
			if err := n.run(ctx, "CLIENT", "KILL", "ID", c.id); err != nil && !strings.Contains(err.Error(), "No such client") {
				return err
			}
		}
	}
	return n.run(ctx, "CLIENT", "SETNAME", runs)
}
