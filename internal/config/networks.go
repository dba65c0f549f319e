package config

import (
	"errors"
	"net/netip"
	"strings"
)

// Networks are addresses and networks, separated by commas; an address is the network of it alone.
type Networks []netip.Prefix

// UnmarshalText reads "10.0.0.1, 192.168.0.0/16, fd00::/8".
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if network, err := netip.ParsePrefix(part); err == nil {
			*n = append(*n, network.Masked())
			continue
		}
		addr, err := netip.ParseAddr(part)
		if err != nil {
			return errors.New("neither an address nor a network")
		}
		*n = append(*n, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return nil
}

// String is how they are written.
func (n Networks) String() string {
	var parts []string
	for _, network := range n {
		parts = append(parts, network.String())
	}
	return strings.Join(parts, ",")
}
