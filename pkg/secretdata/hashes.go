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
	"errors"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// findHash looks for what a server or a pooler compares the password with, as in PgBouncer's userlist.txt and in a
// file of Redis users, and in one of htpasswd: it would go on accepting the old password and refuse the new one.
func (e *effort) findHash(text, login, password string) (form string, found bool) {
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
	switch {
	case e.hasVerifier(text, password):
		return "a SCRAM-SHA-256 verifier", true
	case e.hasBcrypt(text, password):
		return "a bcrypt hash", true
	}
	e.unchecked = e.unchecked || otherHash.MatchString(text)
	return "", false
}

// What the slow hashes in texts may cost: whoever writes a text chooses how many there are, and how slow.
const (
	mostIterations = 100_000 // of one SCRAM verifier
	mostCost       = 12      // of one bcrypt hash: a quarter of a second
	mostEffort     = 2_000_000
	ofBcrypt       = 200 // one round of bcrypt, in iterations of PBKDF2
)

// effort is what slow hashes have cost, in iterations of PBKDF2. One goes for all texts that are looked at together.
type effort struct {
	spent     int
	unchecked bool // there is a hash that was not compared with the password
}

// affords says whether one more hash may be computed.
func (e *effort) affords(cost, most int) bool {
	if cost < 1 || cost > most || e.spent+cost > mostEffort {
		e.unchecked = true
		return false
	}
	e.spent += cost
	return true
}

var (
	// verifier is how PostgreSQL stores a password: iterations, salt, and the stored key (RFC 5803).
	verifier = regexp.MustCompile(`SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):`)
	// bcrypted is a hash as in files of htpasswd.
	bcrypted = regexp.MustCompile(`\$2[abxy]?\$(\d\d)\$[./A-Za-z0-9]{53}`)
	// otherHash are hashes that nothing here can compute: of crypt(3), Apache, argon2, LDAP, Python and Java.
	otherHash = regexp.MustCompile(`\$(1|5|6|7|y|gy|apr1|md5|sha1|scrypt|pbkdf2[a-z0-9-]*|argon2(id|i|d))\$[./A-Za-z0-9,=$+-]{8}|\{(SSHA|SMD5|SSHA256|SSHA512|PBKDF2[A-Z0-9-]*)\}|` +
		`\b(pbkdf2_sha\d+|scrypt|bcrypt_sha256)\$`)
)

// hasVerifier says whether text has a verifier that the password fits.
func (e *effort) hasVerifier(text, password string) bool {
	for _, m := range verifier.FindAllStringSubmatch(text, -1) {
		iterations, err := strconv.Atoi(m[1])
		salt, bad := base64.StdEncoding.DecodeString(m[2])
		if bad != nil {
			continue // PostgreSQL would not take it for one either
		}
		if err != nil || !e.affords(iterations, mostIterations) {
			e.unchecked = true
			continue
		}
		salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
		if err != nil {
			e.unchecked = true
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

// hasBcrypt says whether text has a hash of bcrypt that the password fits.
func (e *effort) hasBcrypt(text, password string) bool {
	for _, m := range bcrypted.FindAllStringSubmatch(text, -1) {
		cost, _ := strconv.Atoi(m[1]) // two digits
		if cost > mostCost || !e.affords(ofBcrypt<<cost, mostEffort) {
			e.unchecked = true
			continue
		}
		switch err := bcrypt.CompareHashAndPassword([]byte(m[0]), []byte(password)); {
		case err == nil:
			return true
		case !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
			e.unchecked = true
		}
	}
	return false
}
