package load

import (
	"fmt"
	"testing"
	"time"
)

func TestWalletHandsOutOldTokensAsOftenAsNewOnes(t *testing.T) {
	var w wallet
	now := time.Now()
	w.put("old", now.Add(time.Minute))
	w.put("new", now.Add(time.Hour))
	got := map[string]int{}
	for range 10 {
		got[w.take(now)]++
	}
	if got["old"] != 5 || got["new"] != 5 {
		t.Errorf("handed out %v, want 5 each", got)
	}
}

func TestWalletKeepsNoTokenThatExpires(t *testing.T) {
	var w wallet
	now := time.Now()
	if got := w.take(now); got != "" {
		t.Errorf("empty wallet gave %q", got)
	}
	w.put("old", now.Add(time.Minute))
	if got := w.take(now.Add(time.Minute - margin)); got != "" {
		t.Errorf("gave %q within the margin of its expiry", got)
	}
}

func TestFullWalletKeepsTheOldestToken(t *testing.T) {
	var w wallet
	now := time.Now()
	for i := range 2 * walletSize {
		w.put(fmt.Sprint(i), now.Add(time.Hour))
	}
	if n, oldest := len(w.tokens), w.tokens[0].value; n != walletSize || oldest != "0" {
		t.Errorf("%d tokens, the oldest %q; want %d and %q", n, oldest, walletSize, "0")
	}
}
