package main

import (
	"cmp"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// Every command pays for the init of every package, completion included. The API's scheme is the measure, because
// any program of client-go registers those types. So the bounds depend neither on the machine nor on the race
// detector. Measured: 3.9 of 13.6 ms are the scheme's, and no other package takes 2 ms. One dependency once took 30 ms.
func TestInitIsCheap(t *testing.T) {
	const (
		measure = "k8s.io/client-go/kubernetes/scheme"
		most    = 2 // times the measure, for any other package
		inAll   = 8 // times the measure, for all packages
		bytes   = 5 << 20
	)
	took := initCosts(t)
	unit := took[measure].ms
	if unit == 0 {
		t.Fatalf("no cost is known of %s; of %d packages", measure, len(took))
	}
	sum := cost{}
	for _, name := range slices.SortedFunc(maps.Keys(took), func(a, b string) int { return cmp.Compare(took[b].ms, took[a].ms) }) {
		c := took[name]
		if c.ms > unit/2 {
			t.Logf("%6.2f ms %8d bytes %s", c.ms, c.bytes, name)
		}
		if name != measure && c.ms > most*unit {
			t.Errorf("the init of %s takes %.1f ms: more than %d times the %.1f ms of %s", name, c.ms, most, unit, measure)
		}
		sum.ms, sum.bytes = sum.ms+c.ms, sum.bytes+c.bytes
	}
	t.Logf("%6.2f ms %8d bytes in all, of %d packages", sum.ms, sum.bytes, len(took))
	if sum.ms > inAll*unit {
		t.Errorf("all inits take %.1f ms: more than %d times the %.1f ms of %s", sum.ms, inAll, unit, measure)
	}
	if sum.bytes > bytes {
		t.Errorf("all inits allocate %d bytes, more than %d", sum.bytes, bytes)
	}
}

type cost struct {
	ms    float64
	bytes int
}

// initCosts is the cheapest init of each package in several starts of this test's own binary. The runtime
// reports wall time, and a busy machine adds to that.
func initCosts(t *testing.T) map[string]cost {
	t.Helper()
	line := regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, (\d+) bytes`)
	cheapest := map[string]cost{}
	for range 10 {
		c := exec.Command(os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, m := range line.FindAllStringSubmatch(string(out), -1) {
			ms, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			size, err := strconv.Atoi(m[3])
			if err != nil {
				t.Fatal(err)
			}
			if before, seen := cheapest[m[1]]; !seen || ms < before.ms {
				cheapest[m[1]] = cost{ms, size}
			}
		}
	}
	return cheapest
}
