package load

import (
	"sync"
	"time"
)

const (
	// walletSize bounds the tokens held. Old ones matter most: they are what a key taken away too early would break.
	walletSize = 64
	// margin keeps a token from expiring on its way.
	margin = 2 * time.Second
)

// wallet holds tokens that the backend issued and hands them out in turn, the oldest as often as the newest,
// until shortly before they expire. It is safe for concurrent use.
type wallet struct {
	mu     sync.Mutex
	tokens []token
	next   int
}

type token struct {
	value   string
	expires time.Time
}

// put adds a token, in place of the second oldest if the wallet is full: the oldest stays until it expires.
func (w *wallet) put(value string, expires time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tokens) == walletSize {
		w.tokens = append(w.tokens[:1], w.tokens[2:]...)
	}
	w.tokens = append(w.tokens, token{value, expires})
}

// take gives the next token, or "" if none is valid at the time now.
func (w *wallet) take(now time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.tokens) > 0 && !now.Add(margin).Before(w.tokens[0].expires) {
		w.tokens = w.tokens[1:]
	}
	if len(w.tokens) == 0 {
		return ""
	}
	w.next = (w.next + 1) % len(w.tokens)
	return w.tokens[w.next].value
}
