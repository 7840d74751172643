package rotation

import (
	"fmt"
	"time"
)

// Want is what an operator asks for.
type Want struct {
	Back        bool          // abort: towards the version that was active before
	Compromised bool          // the values in use have leaked: no waiting for their users, no way back
	Again       bool          // begin anew even if the last rotation has only just finished
	StartOver   bool          // begin anew where the record cannot be relied on: versions that it has lost are not revoked
	MinAge      time.Duration // a rotation that finished less than this ago counts as the one asked for
	By          string        // who asks, as the API server knows them
	Now         time.Time
	Until       string // the last step to make, in this direction alone; "" is all of them
}

// Abort is the want of a rollback of w. It has all of its steps, whichever step w was to stop
// after.
func (w Want) Abort() Want { return Want{Back: true, By: w.By} }

// Decide says what a run that wants w has to work for, given the record r: the intent that is
// there already, or a new one. It changes nothing. The errors are ErrNothingUnderWay, for an
// abort in standby, and refusals.
func Decide(r Record, w Want) (Intent, error) {
	if err := r.Check(); err != nil {
		if w.Back || !w.StartOver {
			return Intent{}, err
		}
		return begin(r, w), nil
	}
	switch {
	case w.Back:
		return decideBack(r, w)
	case r.Standby():
		if i := r.Intent; i != nil && satisfies(*i, w) && !w.Again && recent(r.Finished(), w) {
			return *i, nil
		}
		return begin(r, w), nil
	case w.Compromised && !r.Intent.Compromised:
		return begin(r, w), nil
	case r.Intent.Back:
		return Intent{}, Refuse(WithHint(
			fmt.Errorf("an abort back to %v is under way, begun by %s", r.Intent.To, r.Intent.By),
			"finish it with `kubectl rotate abort`, then rotate again"))
	}
	return *r.Intent, nil
}

// ahead is how far a recorded time may be in the future, by the API server's clock, before it
// counts for nothing.
const ahead = time.Minute

// recent says whether at is less than w.MinAge ago. A time in the future is not: it would never end
// to be.
func recent(at time.Time, w Want) bool {
	age := w.Now.Sub(at)
	return age < w.MinAge && age > -ahead
}

// satisfies says whether the finished intent i was a rotation of the kind that w asks for.
func satisfies(i Intent, w Want) bool {
	return !i.Back && (i.Compromised || !w.Compromised)
}

// begin is the intent of a new rotation. A value in the Secret that is on no record was put there
// by somebody else: it gets a number of its own first, and is what the rotation leads away from.
func begin(r Record, w Want) Intent {
	i := Intent{Attempt: 1, Compromised: w.Compromised, By: w.By, At: w.Now}
	if r.Intent != nil {
		i.Attempt = r.Intent.Attempt + 1
	}
	i.From = r.Active()
	high := max(r.highest(), i.From)
	if r.Current.V == 0 && (len(r.Live) > 0 || r.Check() != nil) {
		high++
		i.From = high
	}
	i.To = high + 1
	return i
}

func decideBack(r Record, w Want) (Intent, error) {
	if r.Standby() {
		return Intent{}, ErrNothingUnderWay
	}
	i := *r.Intent
	if i.Back {
		return i, nil
	}
	if i.Compromised {
		return Intent{}, Refuse(WithHint(
			fmt.Errorf("%v has leaked: there is no way back to it", i.From),
			"run the rotation again: it goes on towards "+i.To.String()))
	}
	if _, gone := r.Gone[i.From]; gone {
		return Intent{}, Refuse(WithHint(
			fmt.Errorf("%v is retired already: there is no way back to it", i.From),
			"run the rotation again: only its last step is left"))
	}
	if _, live := r.Live[i.From]; !live && (i.From != r.Active() || r.Current.V != 0) {
		return Intent{}, Refuse(WithHint(
			fmt.Errorf("%v has no value on record: there is no way back to it", i.From),
			"run the rotation again: it goes on towards "+i.To.String()))
	}
	return Intent{To: i.From, From: i.To, Attempt: i.Attempt + 1, Back: true, By: w.By, At: w.Now}, nil
}
