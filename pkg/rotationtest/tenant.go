package rotationtest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// whose says whose login a version has on record: the target's own, or one of another tenant of the server.
type whose uint8

const (
	own      whose = iota
	marked         // another's, which the server knows by its mark
	unmarked       // another's, of which the server knows only that nobody has proven to have its password
)

// tenancy is what a tenant who can write in the namespace has made of the record, and what has become of others' logins.
type tenancy struct {
	may      uint8 // how often he may still change something
	tampered bool

	names   [maxVersions]whose // whose login a version has on record
	ownedBy uint16             // versions that are to belong to another's owner, by the record
	held    whose              // whose login the application's Secret names

	others [2]uint8 // how the server treats the logins of others
	ours   uint16   // versions that the server has the target's mark of
	rights uint16   // versions that were given another's rights
}

// credential is a login of another. Who writes it down does not know its password.
func (o whose) credential(v uint8) rotation.Credential {
	return rotation.Credential{V: rotation.Version(v), ID: "other_" + strconv.Itoa(int(o)), Value: rotation.NewSecret([]byte("a guess"))}
}

// credential is version v as the record has it.
func (w *World) credential(v uint8) rotation.Credential {
	if o := w.tenant.names[v]; o != own {
		return o.credential(v)
	}
	c := credential(v)
	if w.tenant.ownedBy&(1<<v) != 0 {
		c.Meta = map[string]string{"owner": "another"}
	}
	return c
}

// loginOf says whose login c is.
func loginOf(c rotation.Credential) whose {
	text, other := strings.CutPrefix(c.ID, "other_")
	if !other {
		return own
	}
	n, _ := strconv.Atoi(text)
	return whose(n)
}

// versionOf is the version that the login was made for.
func versionOf(c rotation.Credential) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(c.ID, "login_v"))
	return n
}

// login is how a node treats the login of c, whatever version it is on record. Others' logins are alike on all nodes.
func (w *World) login(node int, c rotation.Credential) *uint8 {
	if o := loginOf(c); o != own {
		return &w.tenant.others[o-1]
	}
	return &w.at[node][versionOf(c)]
}

// obedience is what a server takes the record's word for.
type obedience uint8

const (
	obeysNothing obedience = iota
	obeysNames             // a login that the record names is the target's
	obeysOwners            // a login belongs to the owner that the record names
)

// entitled refuses what is not the target's, by what the server itself knows: its mark of a login, else the password. What the
// record says of an owner counts for nothing.
func (w *World) entitled(c rotation.Credential, obeys obedience) error {
	switch {
	case loginOf(c) != own && obeys == obeysNames:
		return nil
	case loginOf(c) != own:
		return rotation.Refuse(fmt.Errorf("%s is not a login of this target", c.ID))
	case c.Meta["owner"] != "" && obeys != obeysOwners:
		return rotation.Refuse(fmt.Errorf("%s is to belong to %s, which is not the owner of the login in use", c.ID, c.Meta["owner"]))
	}
	known := false
	for n := range w.at {
		known = known || w.at[n][versionOf(c)] != absent
	}
	proven := string(c.Value.Reveal()) == c.ID
	if known && w.tenant.ours&(1<<versionOf(c)) == 0 && !proven {
		return rotation.Refuse(fmt.Errorf("nothing proves that %s is a login of this target", c.ID))
	}
	return nil
}

// mark takes down whose login was made, and with whose rights.
func (t *tenancy) mark(c rotation.Credential, to uint8) {
	if loginOf(c) != own || to != accepts {
		return
	}
	t.ours |= 1 << versionOf(c)
	if c.Meta["owner"] != "" {
		t.rights |= 1 << versionOf(c)
	}
}

// violation says what was done to others.
func (t *tenancy) violation() string {
	for i, status := range t.others {
		if status != accepts {
			return fmt.Sprintf("the login of another (other_%d) was taken away", i+1)
		}
	}
	if t.rights != 0 {
		return "a login of the target was given the rights of another"
	}
	return ""
}

// forgeries are what the tenant can change in w: each part of the record, within small bounds.
func (w *World) forgeries() (moves []move) {
	if w.tenant.may == 0 {
		return nil
	}
	add := func(name string, do func(*World)) {
		moves = append(moves, move{name: "the tenant " + name, do: func(w *World) {
			w.tenant.may--
			w.tenant.tampered, w.appMoved, w.recordMoved = true, true, true
			do(w)
		}})
	}
	const extra = maxVersions - 1 // a version that no rotation reaches
	add("removes all values", func(w *World) { w.live = 0 })
	add("forgets that values were saved", func(w *World) { w.live, w.ever = 0, 0 })
	add("removes all tombstones", func(w *World) { w.gone = [maxVersions]uint8{} })
	add("has every wait be over", func(w *World) { w.quarantined, w.idle, w.ended = old, old, old })
	add("forgets the decision", func(w *World) { w.intent = intent{} })
	for _, o := range []whose{marked, unmarked} {
		add("adds a version with "+o.credential(0).ID, func(w *World) {
			w.live, w.ever, w.tenant.names[extra] = w.live|1<<extra, w.ever|1<<extra, o
		})
		add("adds a tombstone of "+o.credential(0).ID, func(w *World) { w.gone[extra], w.tenant.names[extra] = max(1, w.intent.attempt), o })
		add("puts "+o.credential(0).ID+" into the Secret", func(w *World) { w.tenant.held = o })
	}
	for v := uint8(1); v < extra; v++ {
		if w.live&(1<<v) == 0 {
			continue
		}
		add(fmt.Sprintf("removes the value of v%d", v), func(w *World) { w.live &^= 1 << v })
		add(fmt.Sprintf("says that v%d belongs to another", v), func(w *World) { w.tenant.ownedBy |= 1 << v })
		add(fmt.Sprintf("says that v%d is retired", v), func(w *World) { w.gone[v] = max(1, w.intent.attempt) })
		add(fmt.Sprintf("makes v%d active", v), func(w *World) { w.views[w.newest()].active = v })
		for _, o := range []whose{marked, unmarked} {
			add(fmt.Sprintf("says that v%d is %s", v, o.credential(0).ID), func(w *World) { w.tenant.names[v] = o })
		}
	}
	if i := w.intent; i.set {
		add("turns the decision round", func(w *World) { w.intent.to, w.intent.from, w.intent.back = i.from, i.to, !i.back })
		add("calls it an emergency", func(w *World) { w.intent.compromised = !i.compromised })
		add("has it lead to what does not exist", func(w *World) { w.intent.to = extra })
		add("has it lead to where it comes from", func(w *World) { w.intent.to = i.from })
	}
	return moves
}
