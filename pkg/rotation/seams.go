package rotation

import (
	"context"
	"fmt"
	"time"
)

// Status is how one place of a system treats a credential.
type Status string

// The statuses of a credential. Unknown is not a form of any other: it never lets a step pass.
const (
	Accepts     Status = "accepts"
	Quarantined Status = "quarantined" // known there and refused; Install brings it back
	Absent      Status = "absent"
	// Altered: known there, and not as it was installed: with another value, or not doing what it was made for. Neither an
	// install nor a revocation is done with it; Install mends it.
	Altered Status = "altered"
	// Refused: this place turns it away, for a reason that no Server changes: somebody has to. An install waits for it.
	Refused  Status = "refused"
	Unproven Status = "unproven" // it looks accepted, and the system gave no way to prove it
	Unknown  Status = "unknown"  // it could not be told
)

// Standing is how one place, a node or a database of one, treats a credential.
type Standing struct {
	Where  string
	Status Status
	Proof  string // how that was seen, in words: "login as backend_v2", "pg_authid"
}

func (p Standing) note() string {
	if p.Proof == "" {
		return string(p.Status)
	}
	return fmt.Sprintf("%s (%s)", p.Status, p.Proof)
}

// Session is a connection that was opened with a credential and is still there.
type Session struct {
	ID      string // what the server calls it, a process id
	Node    string
	Address string // of the client, as the server sees it; "" for a local socket
	App     string // what the client calls itself
	Pooler  string // what holds the connection for clients that cannot be told; "" for one of a client's own
	Since   time.Time
}

// Usage is who uses a credential. Known is false where the system cannot tell; then Sessions means nothing.
type Usage struct {
	Known    bool
	Sessions []Session
	// Silent are nodes that could not be asked just now, with why: who is connected there nobody knows, and it is waited for them.
	Silent []Standing
}

// Fence is called by a Server immediately before an effect, inside the server's own lock where it has
// one. It reads the record's intent again; an error means that someone has decided otherwise in
// the meantime, and the effect must not take place. It may be called for several nodes at once.
type Fence func(context.Context) error

// System is what accepts a credential.
type System interface {
	// Generate makes the value and the ID of version v, modelled on the credential in use. It has
	// no effect on the system: until the result is staged nobody must depend on it.
	Generate(ctx context.Context, v Version, current Credential) (Credential, error)
	// Standing is how each place treats c. No places at all is an error.
	Standing(ctx context.Context, c Credential) ([]Standing, error)
	// InUse is who uses c now, on every node.
	InUse(ctx context.Context, c Credential) (Usage, error)
}

// Server is a System that is told by us what to accept; others read the application's Secret themselves.
// Each method may be repeated, and is done or not done as a whole.
type Server interface {
	System
	// Install makes the server accept c beside all others, and persists it. It also lifts a quarantine.
	Install(ctx context.Context, f Fence, c Credential) error
	// Revoke makes the server refuse c from now on, such that Install brings it back, and ends its sessions.
	// What is absent stays so.
	Revoke(ctx context.Context, f Fence, c Credential) error
	// Erase removes c for good. It refuses while anything still depends on c.
	Erase(ctx context.Context, f Fence, c Credential) error
	// Plan is what an effect on c would run, line by line, with the value shown as Redacted.
	Plan(ctx context.Context, e Effect, c Credential) ([]string, error)
}

// Single is a Server that keeps one value of a login at a time: Install makes it accept c and, with that, refuse every other
// version, which Install of that version alone undoes. Versions have one ID. Revoke and Erase change nothing, since what
// they would take away is gone. The versions cannot overlap, so a rotation has a gap, and asks before it begins.
type Single interface {
	Server
	// Gap says what consumers lose between install and the end of the rollout, as a sentence for people.
	Gap() string
}

// Shared is a Server whose versions have one ID, and are told apart by their values: several passwords of one login. They overlap
// as those of any Server do. Revoke makes it forget c's value, and Install brings that back. A session does not show
// which version opened it: InUse is never known, and no session is ended for its version.
type Shared interface {
	Server
	// Untold says what cannot be told of who uses a version, as a sentence for people.
	Untold() string
	// Left says what may still be there of a version that is gone, as a sentence for people; "" where nothing is.
	Left() string
}

// Effect names what a Server is told to do.
type Effect string

// The effects on a Server.
const (
	EffectInstall Effect = "install"
	EffectRevoke  Effect = "revoke"
	EffectErase   Effect = "erase"
)

// Ledger keeps the record of a target: the intent, editions, marks and tombstones, in one place. Each write is given
// the Revision of the Record that it was decided on, and fails with ErrConflict, changing nothing, if the place has
// another by then.
type Ledger interface {
	Load(ctx context.Context) (Record, error)
	// Note changes intent, high, editions, marks and what was skipped as change does, and nothing else.
	Note(ctx context.Context, revision string, change func(*Record)) error
}

// Store is a Ledger that holds the versions of a target too, and publishes one of them to its consumers.
//
// The values stand by themselves, add-only. Where the published data stands in one place with the record, a change of
// mind fences off whoever decided before it.
type Store interface {
	Ledger
	// Stage saves the value of a new version. One that is there already, live or gone, is never overwritten:
	// that is ErrConflict, as is any other change to the values since the revision.
	Stage(ctx context.Context, revision string, c Credential) error
	// Publish has consumers read view v, and writes a new edition down: in one where consumers read what stands beside
	// the record. Where something else copies v to what they read, it starts that and is done; the Record says what is
	// Arriving until they do, and Publish is called once more then: for the edition, with the time since when they do.
	// What was published by somebody who was overruled, and is in no edition, becomes one before: it may have been read.
	Publish(ctx context.Context, revision string, v View) error
	// Retire writes a tombstone for version v, and then forgets its value. Between the two, v is both live and
	// gone; calling it again forgets the value.
	Retire(ctx context.Context, revision string, v Version) error
	// Plan is what Publish would change, given rec, line by line, with no value in it.
	Plan(ctx context.Context, rec Record, v View) ([]string, error)
}

// Consumers are the workloads that read the application's Secret.
type Consumers interface {
	// Workloads are the consumers as they are now, each with its pods, the terminating ones too.
	Workloads(ctx context.Context) ([]Workload, error)
	// Move makes new pods of w read the Secret anew, by giving its template the label of edition n;
	// 0 takes the label away.
	Move(ctx context.Context, w Workload, n int) error
	// Replace ends one pod, for its controller to make another.
	Replace(ctx context.Context, w Workload, p Pod) error
}
