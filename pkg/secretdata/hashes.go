package secretdata

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// findHash looks for what a server or a pooler compares the password with, as in PgBouncer's userlist.txt and in a
// file of Redis users: it would go on accepting the old password and refuse the new one.
func findHash(text, login, password string) (form string, found bool) {
	lower := strings.ToLower(text)
	md5Login, md5Bare := md5.Sum([]byte(password+login)), md5.Sum([]byte(password))
	sha1Sum, sha256Sum, sha512Sum := sha1.Sum([]byte(password)), sha256.Sum256([]byte(password)), sha512.Sum512([]byte(password))
	for _, h := range []struct {
		name string
		sum  []byte
	}{
		{"an MD5 hash of PostgreSQL's", md5Login[:]},
		{"an MD5 hash", md5Bare[:]},
		{"a SHA-1 hash", sha1Sum[:]},
		{"a SHA-256 hash", sha256Sum[:]},
		{"a SHA-512 hash", sha512Sum[:]},
	} {
		if strings.Contains(lower, hex.EncodeToString(h.sum)) {
			return h.name, true
		}
	}
	if hasVerifier(text, password) {
		return "a SCRAM-SHA-256 verifier", true
	}
	return "", false
}

// verifier is how PostgreSQL stores a password: iterations, salt, and the stored key (RFC 5803).
var verifier = regexp.MustCompile(`SCRAM-SHA-256\$(\d{1,6}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):`)

// hasVerifier says whether text has a verifier that the password fits.
func hasVerifier(text, password string) bool {
	for _, m := range verifier.FindAllStringSubmatch(text, -1) {
		iterations, err := strconv.Atoi(m[1])
		salt, bad := base64.StdEncoding.DecodeString(m[2])
		if err != nil || bad != nil || iterations < 1 {
			continue
		}
		salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
		if err != nil {
			continue
		}
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte("Client Key"))
		stored := sha256.Sum256(mac.Sum(nil))
		if base64.StdEncoding.EncodeToString(stored[:]) == m[3] {
			return true
		}
	}
	return false
}
