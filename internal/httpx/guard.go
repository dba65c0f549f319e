package httpx

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrPrivateAddress is why a connection to an address inside somebody's network was not made.
var ErrPrivateAddress = errors.New("the address is private, local or reserved")

// refused4 are the IPv4 networks that no CRM on the internet has: the special-purpose registry of RFC 6890 and, last,
// the platform address of a large cloud, which is public by number only.
var refused4 = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
)

// IPv6 is refused unless it is global unicast, and there but for tunnels and documentation, whose numbers hide others.
var (
	global6  = netip.MustParsePrefix("2000::/3")
	refused6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public tells whether ip may be a server on the internet: not private, loopback, link-local, carrier-grade NAT,
// multicast, metadata or reserved, in IPv4, IPv6, or IPv4 written as IPv6.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if ip.Is4() {
		return !within(ip, refused4)
	}
	return global6.Contains(ip) && !within(ip, refused6)
}

func within(ip netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// guard runs between resolving a name and connecting to it, once for each address: a name that answers differently the
// second time it is asked gains nothing.
func guard(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: not an IP address", ErrPrivateAddress)
	}
	if !Public(ap.Addr()) {
		return ErrPrivateAddress
	}
	return nil
}
