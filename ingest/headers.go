package ingest

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// cutMark stands in a stored receipt for a header's value that was not kept.
const cutMark = "(cut)"

// credential tells whether a header grants access to whoever reads it. Signatures are kept: they prove one body and
// grant nothing, and a receipt whose signature failed is verified again once the key has been put right.
func credential(name string) bool {
	name = strings.ToLower(name)
	if strings.Contains(name, "signature") {
		return false
	}
	for _, s := range []string{"authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "api_key", "credential", "x-auth", "access-key"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

// appendHeaders writes h as a JSON object of name to values, without the values of credentials.
func appendHeaders(b []byte, h http.Header) []byte {
	b = append(b, '{')
	first := true
	for name, values := range h {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, name)
		b = append(b, ':', '[')
		cut := credential(name)
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			if cut {
				v = cutMark
			}
			b = appendString(b, v)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendString writes s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
