package namespaces

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountPoints(t *testing.T) {
	table := `22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw
31 28 0:4 net:[4026532281] /home/sre/my\040checkout/.cluster/ns/net rw - nsfs nsfs rw
`
	want := map[string]bool{"/proc": true, "/home/sre/my checkout/.cluster/ns/net": true}
	if diff := cmp.Diff(want, mountPoints(table)); diff != "" {
		t.Errorf("mount points (-want +got):\n%s", diff)
	}
}

func TestNothingIsNotWhole(t *testing.T) {
	if (Pair{Dir: t.TempDir()}).Whole() {
		t.Error("an empty folder counts as a pair of namespaces")
	}
}
