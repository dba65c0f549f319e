// Package secretbox keeps secrets: it seals what must be read again (an AEAD keyset that can be rotated), and hashes what
// need only be recognised (tokens and passwords).
package secretbox

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// version is the first byte of everything sealed; another layout would take another number.
const version = 1

// maxKeyID bounds a key's name, which stands in front of everything sealed with it.
const maxKeyID = 32

var (
	// ErrUnknownKey is returned by Open for something sealed with a key that the keyset does not hold.
	ErrUnknownKey = errors.New("sealed with a key that is not in the keyset")
	// ErrCorrupt is returned by Open for something that was changed, cut, or sealed for another context.
	ErrCorrupt = errors.New("sealed value is damaged or belongs elsewhere")
)

// Keyset seals with its first key and opens with any of them, so that a new key can be put in front while the old one
// still opens what it sealed. It is safe for concurrent use.
type Keyset struct {
	primary string
	ids     []string
	aeads   map[string]cipher.AEAD
}

// Parse reads "id:base64,id2:base64" (standard or URL alphabet, padded or not; 32 bytes each). The first key seals, all
// of them open. Its errors name a key by its place or id and never quote the key.
func Parse(keys string) (*Keyset, error) {
	k := &Keyset{aeads: map[string]cipher.AEAD{}}
	for i, part := range strings.Split(keys, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(part), ":")
		switch {
		case !ok:
			return nil, fmt.Errorf("key %d has no id: write it as id:base64", i+1)
		case !validKeyID(id):
			return nil, fmt.Errorf("key %d has an id that is empty, longer than %d characters or not made of letters, digits, '-', '_' and '.'", i+1, maxKeyID)
		}
		if _, ok := k.aeads[id]; ok {
			return nil, fmt.Errorf("key id %q stands twice", id)
		}
		raw, err := decodeKey(encoded)
		if err != nil {
			return nil, fmt.Errorf("key %q is not base64", id)
		}
		if len(raw) != chacha20poly1305.KeySize {
			return nil, fmt.Errorf("key %q has %d bytes, it needs %d", id, len(raw), chacha20poly1305.KeySize)
		}
		aead, err := chacha20poly1305.NewX(raw)
		if err != nil {
			return nil, fmt.Errorf("key %q cannot be used", id)
		}
		k.aeads[id] = aead
		k.ids = append(k.ids, id)
	}
	k.primary = k.ids[0]
	return k, nil
}

// Generate makes a random key in the form that Parse reads.
func Generate(id string) string {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key) // never fails: the runtime ends the program instead
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

// Seal encrypts plain for context, which names the place it is kept ("connection:<id>"): it opens only there, so that a
// sealed value copied to another row is of no use.
func (k *Keyset) Seal(plain []byte, context string) ([]byte, error) {
	header := append([]byte{version, byte(len(k.primary))}, k.primary...)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	out := make([]byte, 0, len(header)+len(nonce)+len(plain)+chacha20poly1305.Overhead)
	out = append(out, header...)
	out = append(out, nonce...)
	return k.aeads[k.primary].Seal(out, nonce, plain, additional(header, context)), nil
}

// Open decrypts what Seal made for the same context. It returns ErrUnknownKey or ErrCorrupt.
func (k *Keyset) Open(sealed []byte, context string) ([]byte, error) {
	id, header, rest, err := split(sealed)
	if err != nil {
		return nil, err
	}
	aead, ok := k.aeads[id]
	if !ok {
		return nil, fmt.Errorf("key %q: %w", id, ErrUnknownKey)
	}
	nonce, box := rest[:chacha20poly1305.NonceSizeX], rest[chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, box, additional(header, context))
	if err != nil {
		return nil, ErrCorrupt
	}
	return plain, nil
}

// Reseal seals again with the first key what another one had sealed; changed is false, and out is sealed itself, where
// that is so already. After every stored value went through it, the old keys can be dropped.
func (k *Keyset) Reseal(sealed []byte, context string) (out []byte, changed bool, err error) {
	id, _, _, err := split(sealed)
	if err != nil {
		return nil, false, err
	}
	plain, err := k.Open(sealed, context)
	if err != nil {
		return nil, false, err
	}
	if id == k.primary {
		return sealed, false, nil
	}
	out, err = k.Seal(plain, context)
	return out, true, err
}

// LogValue shows the ids of the keys, never the keys.
func (k *Keyset) LogValue() slog.Value { return slog.StringValue(k.String()) }

// String shows the ids of the keys, never the keys.
func (k *Keyset) String() string { return "keyset(" + strings.Join(k.ids, ",") + ")" }

// GoString keeps the keys out of %#v.
func (k *Keyset) GoString() string { return k.String() }

// split takes apart: version, length of the key id, key id | nonce, box.
func split(sealed []byte) (id string, header, rest []byte, err error) {
	if len(sealed) < 2 || sealed[0] != version {
		return "", nil, nil, ErrCorrupt
	}
	n := 2 + int(sealed[1])
	if len(sealed) < n+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead || !validKeyID(string(sealed[2:n])) {
		return "", nil, nil, ErrCorrupt
	}
	return string(sealed[2:n]), sealed[:n], sealed[n:], nil
}

// additional binds header and context. The header carries its own length, so that no two pairs give the same bytes.
func additional(header []byte, context string) []byte {
	return append(header[:len(header):len(header)], context...)
}

func decodeKey(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}

func validKeyID(id string) bool {
	if id == "" || len(id) > maxKeyID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
