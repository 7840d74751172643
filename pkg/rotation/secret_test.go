package rotation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretShowsNothing(t *testing.T) {
	const value = "hunter2-canary"
	s := NewSecret([]byte(value))
	c := Credential{V: 3, ID: "backend_v3", Value: s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "credential", c)
	asJSON, err := json.Marshal(map[string]any{"s": s, "p": &s, "c": c})
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{
		fmt.Sprint(s, &s, c), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), fmt.Sprintf("%+v %#v", c, c),
		fmt.Errorf("with %v", s).Error(), string(asJSON), log.String(),
	}
	for _, text := range shown {
		if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) || strings.Contains(text, "104 117") {
			t.Errorf("shows the value: %s", text)
		}
		if !strings.Contains(text, Redacted) {
			t.Errorf("does not show that there is one: %s", text)
		}
	}
}

func TestSecretIsACopy(t *testing.T) {
	value := []byte("abc")
	s := NewSecret(value)
	value[0] = 'x'
	s.Reveal()[1] = 'x'
	if got := string(s.Reveal()); got != "abc" {
		t.Errorf("the value changed to %q", got)
	}
}
