package rotation

import (
	"bytes"
	"strings"
	"testing"
)

func TestPasswordsAreAlphanumericAndFair(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(255 - i)
	}
	value, err := NewPassword(bytes.NewReader(every))
	if err != nil {
		t.Fatal(err)
	}
	text := string(value.Reveal())
	if len(text) != passwordLength || strings.Trim(text, alphanumeric) != "" {
		t.Errorf("the password is %q", text)
	}
	if text[0] != alphanumeric[247%62] {
		t.Errorf("bytes from 248 on were used: the first letters would come up more often")
	}
	if _, err := NewPassword(strings.NewReader("too short")); err == nil {
		t.Error("a source that runs dry made a password")
	}
}
