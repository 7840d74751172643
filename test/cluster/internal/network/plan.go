// Package network gives each cluster a network namespace of its own, with addresses that collide with nothing.
package network

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// The range that clusters take their blocks from: 10.128.0.0/10, in blocks of 4096 addresses.
const (
	blockBits  = 20
	blockCount = 1 << 10
	blockSize  = 1 << (32 - blockBits)
)

var firstAddress = netip.AddrFrom4([4]byte{10, 128, 0, 0})

// Plan is where one cluster's network lies. All of it follows from the folder's path, but for Block, which moves on
// when something else on this machine has the addresses already.
type Plan struct {
	ID    string       // eight hexadecimal digits, in the name of everything the cluster makes outside its folder
	Block netip.Prefix // all addresses below come from it
}

// NewPlan derives the plan of the cluster in folder dir, past every prefix in taken.
func NewPlan(dir string, taken []netip.Prefix) (Plan, error) {
	sum := sha256.Sum256([]byte(dir))
	start := binary.BigEndian.Uint32(sum[4:8]) % blockCount
	for i := range uint32(blockCount) {
		block := netip.PrefixFrom(offset(firstAddress, (start+i)%blockCount*blockSize), blockBits)
		if !overlapsAny(block, taken) {
			return Plan{ID: hex.EncodeToString(sum[:4]), Block: block}, nil
		}
	}
	return Plan{}, fmt.Errorf("finding addresses for the cluster: all of %s/10 is taken", firstAddress)
}

// Pods is the range of the pods' addresses; each node has a part of it, see NodePods.
func (p Plan) Pods() netip.Prefix { return p.part(0, 21) }

// NodePods is the range of the pods on node n, counted from 0; there is room for eight.
func (p Plan) NodePods(n int) netip.Prefix { return p.part(uint32(n)*256, 24) }

// Services is the range of the services' virtual addresses.
func (p Plan) Services() netip.Prefix { return p.part(2048, 22) }

// Host is the host's own address on the link to the cluster.
func (p Plan) Host() netip.Addr { return p.part(3073, 32).Addr() }

// Node is the node's address, where the API server answers too.
func (p Plan) Node() netip.Addr { return p.part(3074, 32).Addr() }

// HostLink is the name of the host's end of the link.
func (p Plan) HostLink() string { return "kr" + p.ID + "h" }

// NodeLink is the name of the cluster's end of the link.
func (p Plan) NodeLink() string { return "kr" + p.ID + "n" }

func (p Plan) part(start uint32, bits int) netip.Prefix {
	return netip.PrefixFrom(offset(p.Block.Addr(), start), bits)
}

func offset(a netip.Addr, n uint32) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+n)
	return netip.AddrFrom4(b)
}

func overlapsAny(p netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}
