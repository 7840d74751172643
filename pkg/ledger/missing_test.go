package ledger

import "testing"

func TestNear(t *testing.T) {
	for _, c := range []struct {
		asked, found string
		want         bool
	}{
		{"postgresql-credentials", "postgres-credentials", true},
		{"postgresql-credentials", "postgresql-credential", true},
		{"jwt-keys", "jwt-keys-v2", true},
		{"jwt-keys", "jwt-key", true},
		{"jwt-keys", "redis-credentials", false},
		{"jwt-keys", "tls", false},
	} {
		if got := near(c.asked, c.found); got != c.want {
			t.Errorf("near(%q, %q) = %v, want %v (distance %d)", c.asked, c.found, got, c.want, distance(c.asked, c.found))
		}
	}
}
