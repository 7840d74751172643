package main

import "testing"

func TestMessagesThatWereLeftOutAreCounted(t *testing.T) {
	b := &broker{}
	if b.received() != nil {
		t.Error("something was received before anything came")
	}
	for _, n := range []uint64{7, 8, 11, 12, 20} {
		b.take(n)
	}
	if got, want := *b.received(), (received{Count: 5, Missed: 9, First: 7, Last: 20}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
