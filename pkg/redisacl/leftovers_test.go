package redisacl

import (
	"context"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
)

func TestUsersThatEarlierRotationsLeftAreNamed(t *testing.T) {
	var users []string
	for _, name := range []string{"backend_v7", "backend_20260901", "backend_v3", "backend_reports", "frontend_v2"} {
		users = append(users, "user "+name+" on #"+redistest.Hash(name)+" ~* +@all")
	}
	a := newApp(t, 1, redistest.Config{ACLFile: true, Users: append(users, "user backend_v1 off ~* +@all")})
	lines, err := a.server.Leftovers(context.Background(), a.current, "backend_v3")
	a.must("leftovers", err)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "backend_20260901 can come in too (0 connections now)") || !strings.HasPrefix(lines[1], "backend_v7 ") {
		t.Errorf("leftovers: %q", lines)
	}
}
