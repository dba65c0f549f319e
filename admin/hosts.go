package admin

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/callsync/callsync/internal/httpx"
)

// RefusePrivateHost refuses what is plainly inside somebody's network: a private, loopback or reserved address, and names
// that stand for one. Names that resolve to one are refused when a connection is dialled, because DNS may change.
func RefusePrivateHost(host string) error {
	//lint:ignore ST1005 people read it as it is
	refused := errors.New("This host is inside a private network, which this callsync does not allow (CALLSYNC_ALLOW_PRIVATE_HOSTS).")
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		if !httpx.Public(ip) {
			return refused
		}
		return nil
	}
	if !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") {
		return refused
	}
	// 127.1, 0x7f000001 and 2130706433 are addresses to some resolvers and are nobody's real name.
	if last := host[strings.LastIndexByte(host, '.')+1:]; last == "" || (last[0] >= '0' && last[0] <= '9') {
		return refused
	}
	return nil
}
