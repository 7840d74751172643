package redisacl

import (
	"context"
	"fmt"
)

// storage is where a node keeps its users over a restart.
type storage struct {
	save []string // the command that does it; nil where nothing does
	path string   // of the file
	lost string   // why they are lost at a restart all the same; "" where they are not
}

// storageOf is by what the node was started with. A server with an ACL file takes its users from there alone: CONFIG REWRITE
// would say OK, and keep none of them.
func storageOf(n Node, aclFile, configFile string) storage {
	s := storage{path: aclFile, save: []string{"ACL", "SAVE"}}
	switch {
	case aclFile != "":
	case configFile != "":
		s = storage{path: configFile, save: []string{"CONFIG", "REWRITE"}}
	default:
		return storage{lost: "it was started with neither an ACL file nor a configuration file"}
	}
	if n.Lost != nil {
		s.lost = n.Lost(s.path)
	}
	return s
}

// saves writes the users down, as that node does it.
func (n *session) saves(ctx context.Context) error {
	if n.storage.save == nil {
		return nil
	}
	if err := n.run(ctx, n.storage.save...); err != nil {
		return fmt.Errorf("saving the users of %s to %s: %w", n.node.Name, n.storage.path, err)
	}
	return nil
}

// volatile says that what is done at a node may not outlast it; "" where it does.
func (n *session) volatile() string {
	if n.storage.lost == "" {
		return ""
	}
	return "users are lost at its restart: " + n.storage.lost
}
