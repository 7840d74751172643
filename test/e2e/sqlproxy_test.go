package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// sqlProxy stands between the program and PostgreSQL and reads along.
type sqlProxy struct {
	*gate
	target string

	mu     sync.Mutex
	meddle func(query) meddling // nil: nothing is done to any
}

// query is a statement that the program sends.
type query struct {
	sql string
	tx  []string // what the transaction it is in has changed before; nil outside of one that may change anything
}

// meddling is what is done to a query. The zero value is nothing.
type meddling struct {
	before *hold // it is held before it reaches the server
	after  *hold // its answer is held: the server has done it
	cut    bool  // the connection is closed instead
	lose   bool  // the connection is closed when the server has answered
}

// sqlThrough is a proxy in front of the world's server, and the configuration of a target that is dialed directly by it.
func (w *world) sqlThrough() (p *sqlProxy, config string) {
	w.Helper()
	p = &sqlProxy{gate: newGate(w), target: w.platform.PostgreSQL}
	go func() {
		for {
			c, err := p.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p, w.direct(p.at)
}

// direct is the configuration of a target whose server is dialed at address.
func (w *world) direct(address string) (path string) {
	w.Helper()
	path = filepath.Join(w.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n  postgres: {address: \"" + address + "\", sslmode: disable}\n"
	w.must("writing the configuration", os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (p *sqlProxy) set(meddle func(query) meddling) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meddle = meddle
}

// ask is one at a time, so that what decides need not be guarded.
func (p *sqlProxy) ask(q query) meddling {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meddle == nil {
		return meddling{}
	}
	return p.meddle(q)
}

// sqlSession is one connection through the proxy.
type sqlSession struct {
	client, server net.Conn
	tx             []string
	mu             sync.Mutex
	swallow        *meddling // what is to be done with the answer to the last query
}

func (p *sqlProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	s := &sqlSession{client: client, server: server}
	if !s.begin() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.answers(ctx)
	for {
		kind, body, err := message(client)
		if err != nil {
			return
		}
		if sql, ok := sqlIn(kind, body); ok && !s.pass(ctx, sql, p.ask) {
			return
		}
		if err := send(server, kind, body); err != nil {
			return
		}
	}
}

// begin passes on what comes before the first message with a type: questions about encryption, which the server answers
// with a byte, and the start of the session. A request to cancel is the end.
func (s *sqlSession) begin() bool {
	for {
		var size [4]byte
		if _, err := io.ReadFull(s.client, size[:]); err != nil {
			return false
		}
		body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
		if _, err := io.ReadFull(s.client, body); err != nil {
			return false
		}
		if _, err := s.server.Write(append(size[:], body...)); err != nil {
			return false
		}
		switch binary.BigEndian.Uint32(body) {
		case 80877102: // CancelRequest
			return false
		case 80877103, 80877104: // SSLRequest, GSSENCRequest
			if _, err := io.CopyN(s.client, s.server, 1); err != nil {
				return false
			}
		default:
			return true
		}
	}
}

// pass does to a query what is to be done; false where that ends the connection.
func (s *sqlSession) pass(ctx context.Context, sql string, ask func(query) meddling) bool {
	switch {
	case strings.HasPrefix(sql, "BEGIN") && strings.Contains(sql, "READ WRITE"):
		s.tx = []string{}
	case sql == "ROLLBACK":
		s.tx = nil
	}
	m := ask(query{sql: sql, tx: s.tx})
	switch {
	case m.cut:
		return false
	case m.before != nil:
		m.before.once.Do(func() { close(m.before.held) })
		_, _ = io.Copy(io.Discard, s.client) // until whoever sent it is gone
		return false
	case m.after != nil || m.lose:
		s.mu.Lock()
		s.swallow = &m
		s.mu.Unlock()
	}
	if s.tx != nil {
		s.tx = append(s.tx, sql)
	}
	if sql == "COMMIT" {
		s.tx = nil
	}
	return true
}

// answers gives back what the server says, but for the answer that is to be held or lost.
func (s *sqlSession) answers(ctx context.Context) {
	defer s.client.Close()
	for {
		kind, body, err := message(s.server)
		if err != nil {
			return
		}
		s.mu.Lock()
		m := s.swallow
		s.mu.Unlock()
		switch {
		case m == nil:
			if send(s.client, kind, body) != nil {
				return
			}
		case kind != 'Z': // the answer is not at its end
		case m.lose:
			return
		default:
			_ = m.after.keep(ctx)
			return
		}
	}
}

// message reads one with a type.
func message(from io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err = io.ReadFull(from, body)
	return head[0], body, err
}

func send(to io.Writer, kind byte, body []byte) error {
	text := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)) //nolint:gosec // as it was read
	_, err := to.Write(append(text, body...))
	return err
}

// sqlIn is the statement in a message of a simple query, or of one with parameters.
func sqlIn(kind byte, body []byte) (string, bool) {
	parts := bytes.Split(body, []byte{0})
	switch {
	case kind == 'Q':
		return strings.TrimSpace(string(parts[0])), true
	case kind == 'P' && len(parts) > 1:
		return strings.TrimSpace(string(parts[1])), true
	}
	return "", false
}

// changes says whether a query changes something at the server, or is what makes it last.
func (q query) changes() bool {
	if q.tx == nil {
		return false
	}
	word, _, _ := strings.Cut(q.sql, " ")
	switch word {
	case "CREATE", "ALTER", "COMMENT", "GRANT", "DROP", "DO", "COMMIT":
		return true
	}
	return strings.Contains(q.sql, "set_config") || strings.Contains(q.sql, "pg_terminate_backend")
}

// key names a query by all that its transaction did before.
func (q query) key() string {
	if q.tx == nil {
		return q.sql
	}
	return strings.Join(q.tx, ";") + ";" + q.sql
}
