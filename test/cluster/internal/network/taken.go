package network

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Taken lists the prefixes that this machine's interfaces and routes use now, the default route left out.
func Taken() ([]netip.Prefix, error) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	defer f.Close()
	taken, err := parseRoutes(f)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			taken = append(taken, p.Masked())
		}
	}
	return taken, nil
}

// parseRoutes reads the kernel's table: a heading, then lines of name, destination, gateway, … with the mask in the
// eighth column, as hexadecimal words in the machine's byte order.
func parseRoutes(r io.Reader) ([]netip.Prefix, error) {
	var routes []netip.Prefix
	lines := bufio.NewScanner(r)
	lines.Scan()
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			return nil, fmt.Errorf("line %q has no mask", lines.Text())
		}
		dest, err := kernelWord(f[1])
		if err != nil {
			return nil, err
		}
		mask, err := kernelWord(f[7])
		if err != nil {
			return nil, err
		}
		if ones := bits.OnesCount32(binary.BigEndian.Uint32(mask[:])); ones > 0 {
			routes = append(routes, netip.PrefixFrom(netip.AddrFrom4(dest), ones))
		}
	}
	return routes, lines.Err()
}

// kernelWord reads a word printed in hexadecimal, whose bytes in this machine's memory are the address.
func kernelWord(s string) ([4]byte, error) {
	var word [4]byte
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return word, fmt.Errorf("%q is not an address", s)
	}
	binary.NativeEndian.PutUint32(word[:], uint32(n))
	return word, nil
}
