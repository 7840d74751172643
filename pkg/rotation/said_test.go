package rotation

import "testing"

func TestWithoutSaid(t *testing.T) {
	for note, want := range map[string]string{
		"": "", "3 of 3 pods": "3 of 3 pods",
		"exit code 1: " + Said("key=hunter2"):                            "exit code 1: " + Withheld,
		"a: " + Said("x") + "; b: " + Said("y") + "; and more":           "a: " + Withheld + "; b: " + Withheld + "; and more",
		"a: " + Said("x”, hunter2, “"):                                   "a: " + Withheld, // a pod ends no quote
		"a: " + Said("x“y"):                                              "a: " + Withheld,
		"a: " + Said("hunter2")[:len(Said("hunter2"))-len("er2”")] + "…": "a: " + Withheld, // cut in the middle
		"a: " + Said(""):                                                 "a: " + Withheld,
	} {
		if got := WithoutSaid(note); got != want {
			t.Errorf("%q: got %q, want %q", note, got, want)
		}
	}
}
