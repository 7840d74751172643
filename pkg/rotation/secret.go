package rotation

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what a [Secret] shows of itself wherever it is printed, marshalled or logged.
const Redacted = "[redacted]"

// Secret is a value that must not be seen: a password, a key, a connection string.
// However it is formatted, marshalled or logged, it shows as [Redacted]; only [Secret.Reveal]
// gives the bytes, so every place that handles them can be found by that name.
// The zero Secret is empty.
type Secret struct{ value []byte }

// NewSecret keeps a copy of value.
func NewSecret(value []byte) Secret {
	return Secret{value: append([]byte(nil), value...)}
}

// Reveal gives a copy of the bytes themselves.
func (s Secret) Reveal() []byte { return append([]byte(nil), s.value...) }

// Empty says whether there is no value at all.
func (s Secret) Empty() bool { return len(s.value) == 0 }

// Equal compares two values in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare(s.value, other.value) == 1
}

// String gives [Redacted].
func (Secret) String() string { return Redacted }

// GoString gives [Redacted], for %#v.
func (Secret) GoString() string { return Redacted }

// Format writes [Redacted] for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalText gives [Redacted]; encoding/json and most encoders use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue gives [Redacted] to log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }
