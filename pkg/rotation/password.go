package rotation

import (
	"crypto/rand"
	"fmt"
	"io"
)

const (
	passwordLength = 48 // 285 bits
	alphanumeric   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// NewPassword makes a random one of 48 letters and digits, each as likely as any other, which need no quoting in a connection string,
// a URL or a shell. Nil is the system's source of randomness.
func NewPassword(random io.Reader) (Secret, error) {
	if random == nil {
		random = rand.Reader
	}
	const fair = 256 - 256%len(alphanumeric) // bytes from here on would favour the first letters
	text := make([]byte, 0, passwordLength)
	buffer := make([]byte, passwordLength)
	for len(text) < passwordLength {
		if _, err := io.ReadFull(random, buffer); err != nil {
			return Secret{}, fmt.Errorf("making a password: %w", err)
		}
		for _, b := range buffer {
			if int(b) < fair && len(text) < passwordLength {
				text = append(text, alphanumeric[int(b)%len(alphanumeric)])
			}
		}
	}
	return NewSecret(text), nil
}
