package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanKeepsItsRangesApart(t *testing.T) {
	p := newPlan(t, "/home/sre/kubectl-rotate/.cluster", nil)
	link := netip.PrefixFrom(p.Host(), 30).Masked()
	ranges := []netip.Prefix{p.Pods(), p.Services(), link}
	for i, a := range ranges {
		if !p.Block.Contains(a.Addr()) || a.Bits() < p.Block.Bits() {
			t.Errorf("%s is not in the block %s", a, p.Block)
		}
		for _, b := range ranges[i+1:] {
			if a.Overlaps(b) {
				t.Errorf("%s overlaps %s", a, b)
			}
		}
	}
	if !link.Contains(p.Node()) || p.Node() == p.Host() {
		t.Errorf("host %s and node %s are not the two ends of %s", p.Host(), p.Node(), link)
	}
	if first, last := p.NodePods(0), p.NodePods(7); first.Overlaps(last) || !p.Pods().Overlaps(last) {
		t.Errorf("pods of node 0 (%s) and node 7 (%s) don't share %s", first, last, p.Pods())
	}
}

func TestPlanFollowsFromThePath(t *testing.T) {
	a, again := newPlan(t, "/a", nil), newPlan(t, "/a", nil)
	if diff := cmp.Diff(a.ID+a.Block.String(), again.ID+again.Block.String()); diff != "" {
		t.Errorf("the same path gave another plan: %s", diff)
	}
	if b := newPlan(t, "/b", nil); a.ID == b.ID || a.Block == b.Block {
		t.Errorf("two paths share the plan %v", a)
	}
	if n := len(a.HostLink()); n > 15 {
		t.Errorf("the kernel takes interface names of 15 characters, not %d", n)
	}
}

func TestPlanMovesPastWhatIsTaken(t *testing.T) {
	wanted := newPlan(t, "/a", nil)
	moved := newPlan(t, "/a", []netip.Prefix{netip.PrefixFrom(wanted.Node(), 32)})
	if moved.Block == wanted.Block {
		t.Errorf("the block %s was chosen although its node's address is taken", moved.Block)
	}
	if _, err := NewPlan("/a", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err == nil {
		t.Error("a plan was made although all addresses are taken")
	}
}

func TestParseRoutes(t *testing.T) {
	table := `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000A80A	00000000	0001	0	0	0	0000FEFF	0	0	0
`
	got, err := parseRoutes(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"192.0.2.0/24", "10.168.0.0/15"}
	var texts []string
	for _, p := range got {
		texts = append(texts, p.String())
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	for _, broken := range []string{"heading\neth0 00000000\n", "heading\neth0 x 0 0 0 0 0 x\n"} {
		if _, err := parseRoutes(strings.NewReader(broken)); err == nil {
			t.Errorf("the table %q was understood", broken)
		}
	}
}

func newPlan(t *testing.T, dir string, taken []netip.Prefix) Plan {
	t.Helper()
	p, err := NewPlan(dir, taken)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
