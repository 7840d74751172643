package jwtkeys

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// visit is one pod that is asked.
type visit struct {
	*Asked
	client    *http.Client
	transport *http.Transport
	base      string
	unknown   reading // a key that nobody knows
	issues    bool    // the pod issues tokens
	urgent    bool    // what is wrong beside what is wanted becomes a fault
	faults    []string
}

func (a *Asked) visit(workload, pod string) *visit {
	t := &http.Transport{
		DialContext:     a.Dial(workload, pod),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the tunnel ends in the pod; its certificate names the Service
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visit{
		Asked: a, client: &http.Client{Transport: t, CheckRedirect: stay}, transport: t,
		base: fmt.Sprintf("%s://localhost:%d", a.Scheme, a.Port),
	}
}

func (v *visit) close() { v.transport.CloseIdleConnections() }

// verdict is what a pod says to a token.
type verdict int

const (
	unclear  verdict = iota // neither: a server that fails says nothing about a token
	accepted                // 2xx
	refused                 // 401, 403
)

// judge asks for everything that is wanted. The first thing that is not so ends it.
func (v *visit) judge(ctx context.Context, want rotation.Wanted) (rotation.Status, string) {
	var said []string
	if v.issues {
		status, proof := v.signs(ctx, want)
		if status != rotation.Accepts {
			return status, proof
		}
		said = append(said, proof)
	}
	for i, c := range want.Accept {
		how, status, proof := v.accepts(ctx, c)
		if status != rotation.Accepts {
			return status, proof
		}
		if i == 0 { // in the way in which one was accepted just now
			if status, proof := v.forged(ctx, how); status != rotation.Accepts {
				return status, proof
			}
		}
		said = append(said, proof)
	}
	for _, c := range want.Refuse {
		status, proof := v.refuses(ctx, c)
		if status != rotation.Accepts {
			return status, proof
		}
		said = append(said, proof)
	}
	if want.Sign != nil && v.Issue == nil {
		said = append(said, "which key it signs with is not proven: the probe has no request that issues")
		return rotation.Unproven, strings.Join(said, ", ")
	}
	return rotation.Accepts, strings.Join(said, ", ")
}

// signs looks at a token that the pod issues. One that is signed with a key on record becomes the model of those that are minted: what a
// pod merely says would be signed with the key otherwise.
func (v *visit) signs(ctx context.Context, want rotation.Wanted) (rotation.Status, string) {
	token, err := v.issue(ctx)
	if err != nil {
		return rotation.Unknown, err.Error()
	}
	m, err := modelOf(token)
	if err != nil {
		return v.fault(err.Error())
	}
	_, method := v.keys(want.Accept[0])
	if alg, _ := m.header["alg"].(string); alg != method {
		return v.fault(fmt.Sprintf("issues tokens that are signed with %s, and not with %s", rotation.Said(alg), method))
	}
	if v.ours(token, want) {
		v.keep(m)
	}
	if want.Sign == nil {
		return rotation.Accepts, "issues tokens"
	}
	if v.made(token, *want.Sign) {
		return rotation.Accepts, "issues under " + want.Sign.ID
	}
	for _, c := range append(want.Accept, want.Refuse...) {
		if v.made(token, c) {
			return rotation.Altered, fmt.Sprintf("issues under %s, and not under %s", c.ID, want.Sign.ID)
		}
	}
	return rotation.Altered, "issues under another key than " + want.Sign.ID
}

// fault is something wrong with the pod that is neither about the versions wanted nor about those refused.
func (v *visit) fault(what string) (rotation.Status, string) {
	if !v.urgent {
		return rotation.Altered, what
	}
	v.faults = append(v.faults, what)
	return rotation.Accepts, what
}

// ours says whether a token is signed with one of the wanted's keys.
func (v *visit) ours(token string, want rotation.Wanted) bool {
	return slices.ContainsFunc(slices.Concat(want.Accept, want.Refuse), func(c rotation.Credential) bool { return v.made(token, c) })
}

// made says whether c is what token is signed with.
func (v *visit) made(token string, c rotation.Credential) bool {
	key, method := v.keys(c)
	return key != nil && slices.ContainsFunc(key.readings(), func(r reading) bool { return signedWith(token, method, r.verify) })
}

// keys are what c may be to who signs with it, and by which algorithm; nil where nothing can be signed with it.
func (v *visit) keys(c rotation.Credential) (key signingKey, method string) {
	key, err := read(c.Value.Reveal())
	if err == nil {
		method, err = pinned(key, v.Algorithm)
	}
	if err != nil {
		return nil, ""
	}
	return key, method
}

// accepts asks about tokens of c in each way in which its value may be read, until one is accepted.
func (v *visit) accepts(ctx context.Context, c rotation.Credential) (how minted, status rotation.Status, proof string) {
	ways := v.ways(c)
	if len(ways) == 0 {
		return minted{}, rotation.Unproven, "no token of " + c.ID + " can be made"
	}
	for _, how := range ways {
		switch said, what := v.says(ctx, how); said {
		case accepted:
			return how, rotation.Accepts, "accepts " + c.ID
		case unclear:
			return how, rotation.Unknown, what
		}
	}
	return minted{}, rotation.Altered, "refuses " + c.ID
}

// refuses asks about tokens of c in all ways in which its value may be read.
func (v *visit) refuses(ctx context.Context, c rotation.Credential) (rotation.Status, string) {
	ways := v.ways(c)
	if len(ways) == 0 {
		return rotation.Unproven, "no token of " + c.ID + " can be made"
	}
	for _, how := range ways {
		switch said, what := v.says(ctx, how); said {
		case accepted:
			return rotation.Altered, "still accepts " + c.ID
		case unclear:
			return rotation.Unknown, what
		}
	}
	return rotation.Accepts, "refuses " + c.ID
}

// ways are the tokens that c may have made.
func (v *visit) ways(c rotation.Credential) (all []minted) {
	m := v.issued()
	now := v.now()
	key, method := v.keys(c)
	if key == nil {
		return nil
	}
	var ids []string
	if id := keyID(key); id != "" && id != c.ID {
		ids = append(ids, id)
	}
	for _, r := range key.readings() {
		for _, kid := range append(kids(m, c.ID, v.known(m, c.ID)), ids...) {
			all = append(all, minted{jwt.GetSigningMethod(method), r, kid, now.Add(-early), now.Add(late)})
		}
	}
	return all
}

// known are the names that a model's key id may be one of: it differs from id's in its number alone.
func (v *visit) known(m *model, id string) []string {
	all := []string{id}
	if m != nil {
		if kid, _ := m.header["kid"].(string); kid != "" {
			digits := kid[len(strings.TrimRight(kid, "0123456789")):]
			all = append(all, strings.TrimRight(id, "0123456789")+digits)
		}
	}
	return all
}

// says is what the pod says to a token that is made in the given way.
func (v *visit) says(ctx context.Context, how minted) (verdict, string) {
	m := v.issued()
	if m == nil {
		m = &model{}
	}
	token, err := m.mint(how, v.Claims)
	if err != nil {
		return unclear, err.Error()
	}
	status, _, err := v.send(ctx, v.Verify, nil, token)
	switch {
	case err != nil:
		return unclear, err.Error()
	case status/100 == 2:
		return accepted, ""
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return refused, ""
	}
	return unclear, fmt.Sprintf("%s %s was answered with status %d, which says nothing about the token", v.Verify.Method, v.Verify.Path, status)
}

// issue has the pod issue a token.
func (v *visit) issue(ctx context.Context) (string, error) {
	status, body, err := v.send(ctx, *v.Issue, v.Body.Reveal(), "")
	if err != nil {
		return "", err
	}
	if status/100 != 2 {
		return "", fmt.Errorf("%s %s was answered with status %d", v.Issue.Method, v.Issue.Path, status)
	}
	var answer map[string]any
	if json.Unmarshal(body, &answer) == nil {
		if token, ok := answer[v.Field].(string); ok {
			return token, nil
		}
	}
	return "", fmt.Errorf("%s %s was answered without a token in the field %s", v.Issue.Method, v.Issue.Path, v.Field)
}

// send makes one request. No error holds a token: only the address stands in those of net/http.
func (v *visit) send(ctx context.Context, q Request, body []byte, token string) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, q.Method, v.base+q.Path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the path of the probe is not one of a URL")
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := v.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("asking it: %w", err)
	}
	defer w.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(w.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("reading its answer: %w", err)
	}
	return w.StatusCode, answer, nil
}
