package rotation

import "context"

// gap is what consumers lose between install and the end of the rollout; "" where versions overlap.
func (o *overlap) gap() string {
	if s, ok := o.System.(Single); ok {
		return s.Gap()
	}
	return ""
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
