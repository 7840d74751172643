package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// subject is what is rotated, and what that is compared with.
type subject struct {
	args       []string // of the plugin
	targets    string   // its targets file; "" is none
	restarts   int      // rollouts that a rotation takes, and so restarts that it is compared with
	waits      time.Duration
	platformed deploy.Options
	most       float64 // times that restart; 0 is the usual bound
	first      bool    // the program's start, and the statements of SQL, are measured too
}

// lifetime is how long the tokens are valid that the platform issues to be measured: what a rotation of signing keys waits for,
// and a restart does not.
const lifetime = time.Second

var subjects = map[string]subject{
	"postgres": {args: []string{"postgres", "--soak=0"}, restarts: 1, first: true},
	// Pods that end at once hide nothing of what a rotation adds; the pods of the others take four seconds to end.
	"postgres-brief": {args: []string{"postgres", "--soak=0"}, restarts: 1, most: 1.10, platformed: deploy.Options{DrainDelay: 200 * time.Millisecond}},
	"redis":          {args: []string{"redis", "--soak=0"}, restarts: 1, platformed: deploy.Options{RedisNodes: 2}},
	"jwt":            {args: []string{"jwt"}, targets: probed, restarts: 3, waits: lifetime, platformed: deploy.Options{TokenLifetime: lifetime}},
	"emergency-jwt":  {args: []string{"emergency-jwt"}, targets: probed, restarts: 1},
}

// probed has each pod asked what it makes of tokens.
const probed = `apiVersion: kubectl-rotate/v1alpha1
targets:
- name: jwt
  kind: jwt
  jwt:
    leeway: 0s
    probe:
      port: 8080
      verify: {path: /session}
      issue: {path: /token}
`

// command is the arguments that rotate it once.
func (b *bench) command(kubeconfig string) (args []string, done func(), err error) {
	args = append(args, b.args...)
	args = append(args, "--yes", "--again", "-n", b.namespace, "--kubeconfig", kubeconfig)
	if b.via != "" {
		args = append(args, "--via", b.via)
	}
	if b.targets == "" {
		return args, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "targets.yaml")
	return append(args, "--config", path), func() { _ = os.RemoveAll(dir) }, os.WriteFile(path, []byte(b.targets), 0o600)
}
