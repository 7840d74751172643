package postgres

import "testing"

func rule(line int, databases, users, address, netmask, method string) hbaRule {
	return hbaRule{Line: line, Type: "host", Databases: []string{databases}, Users: []string{users}, Address: address, Netmask: netmask, Method: method}
}

func TestLinesThatOnlyTheOldLoginMatches(t *testing.T) {
	const (
		pods = "10.0.0.0"
		mask = "255.0.0.0"
	)
	named := rule(1, "shop", "backend", pods, mask, "scram-sha-256")
	for _, c := range []struct {
		name  string
		rules []hbaRule
		want  int // the line; 0 is none
	}{
		{"the old login by name", []hbaRule{named}, 1},
		{"the group", []hbaRule{rule(1, "shop", "+backend", pods, mask, "scram-sha-256")}, 0},
		{"everybody", []hbaRule{rule(1, "shop", "all", pods, mask, "scram-sha-256")}, 0},
		{"a pattern", []hbaRule{rule(1, "shop", "/^backend", pods, mask, "scram-sha-256")}, 0},
		{"another database", []hbaRule{rule(1, "other", "backend", pods, mask, "scram-sha-256")}, 0},
		{"the old one turned away", []hbaRule{rule(1, "shop", "backend", pods, mask, "reject")}, 0},
		{"by name, then everybody from everywhere", []hbaRule{named, rule(2, "all", "all", "all", "", "scram-sha-256")}, 0},
		{"by name, then everybody from a wider range", []hbaRule{named, rule(2, "all", "all", "0.0.0.0", "0.0.0.0", "scram-sha-256")}, 0},
		{"by name, then everybody from a narrower range", []hbaRule{named, rule(2, "all", "all", "10.1.0.0", "255.255.0.0", "scram-sha-256")}, 1},
		{"by name, then everybody elsewhere", []hbaRule{named, rule(2, "other", "all", "all", "", "scram-sha-256")}, 1},
		{"by name, then everybody turned away", []hbaRule{named, rule(2, "all", "all", "all", "", "reject")}, 1},
		{"a group of the owner's", []hbaRule{rule(1, "all", "+staff", pods, mask, "scram-sha-256")}, 0},
		{"by name from a host name", []hbaRule{rule(3, "shop", "backend", ".example.com", "", "scram-sha-256"), rule(4, "all", "all", pods, mask, "md5")}, 3},
		{"by name, then everybody by IPv6", []hbaRule{named, rule(2, "all", "all", "::", "::", "md5")}, 1},
	} {
		got, _ := onlyOld(c.rules, "backend", "backend_v2", []string{"backend", "staff"}, []string{"shop"})
		if got.Line != c.want {
			t.Errorf("%s: line %d, want %d", c.name, got.Line, c.want)
		}
	}
}
