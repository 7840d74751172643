package rotation

// Question is what an operator is asked before a run goes on.
type Question struct {
	Step string
	Kind string // ConsentProceed, or a kind that a general yes does not cover
	Text string // what will happen, what was seen, how it is undone
}

// The kinds of consent, one for each doubt. A general yes covers only the first. Adapters have
// kinds of their own.
const (
	ConsentProceed     = "proceed"
	ConsentUnproven    = "unproven"     // nothing proves what the server, or a pod that cannot be asked, makes of the new version
	ConsentUsers       = "users"        // who still uses the old version is not known
	ConsentUnrefused   = "unrefused"    // nothing proves that the server refuses the old version
	ConsentUnseen      = "unseen"       // the server has not seen the canary use the new version
	ConsentNodes       = "nodes"        // a node does not report: what its pods do is not known
	ConsentUnknownNode = "unknown-node" // the server names a node of its own that is not configured
	ConsentOwnership   = "ownership"    // nothing shows that a login is this target's to change
	ConsentUnknownGate = "unknown-gate" // a gate cannot be told at all
	ConsentStale       = "stale"        // somebody else has changed the application's Secret
	ConsentGap         = "gap"          // requests may fail for a while: the old version and the new one cannot overlap
	ConsentBackup      = "backup"       // no backup was found that is young enough
	ConsentWindow      = "window"       // it is not the time for it
	ConsentLost        = "lost-record"  // the record has lost versions, which no rotation will revoke
	// ConsentGate is the kind of what Offer asks; no consent given beforehand covers it.
	ConsentGate = "gate"
)
