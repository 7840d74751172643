package rotation

import "context"

// gap is what consumers lose between install and the end of the rollout; "" where versions overlap.
func (o *overlap) gap() string {
	if s, ok := o.System.(Single); ok {
		return s.Gap()
	}
	return ""
}

// oneID says whether all versions have one ID: then only a value tells them apart, and no session does.
func (o *overlap) oneID() bool {
	_, shared := o.System.(Shared)
	return shared || o.gap() != ""
}

// untold is why it is not known who uses the other versions.
func (o *overlap) untold() string {
	if s, ok := o.System.(Shared); ok {
		return s.Untold()
	}
	return "the system cannot tell who uses the old version"
}

// consent is what begin wants to be agreed to. A gap is more than a yes covers; but on the way back, and for a value that
// has leaked, nothing else is held up either.
func (o *overlap) consent() string {
	if o.gap() == "" || o.intent.Back || o.intent.Compromised {
		return ConsentProceed
	}
	return ConsentGap
}

// gapPlan says it among what would be done.
func (o *overlap) gapPlan() func(context.Context, Record) ([]string, error) {
	gap := o.gap()
	if gap == "" {
		return nil
	}
	return func(context.Context, Record) ([]string, error) { return []string{gap}, nil }
}
