package secretbox

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost of new hashes: the configuration that OWASP's Password Storage Cheat Sheet names first for argon2id.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// Bounds of the cost that a stored hash may ask for, so that a damaged row cannot exhaust the machine.
const (
	maxArgonMemory = 256 * 1024
	maxArgonTime   = 16
)

// Bounds of a password: of its characters, and of its bytes. RefusePassword has the whole rule.
const (
	MinPassword = 12
	MaxPassword = 1024
)

var (
	// ErrPasswordMismatch is returned by VerifyPassword for the wrong password.
	ErrPasswordMismatch = errors.New("password does not match")
	// ErrPasswordLength is returned by HashPassword for a password that is too short or too long.
	ErrPasswordLength = fmt.Errorf("a password has %d characters at least and %d bytes at most", MinPassword, MaxPassword)
)

// slots bounds how many hashes are computed at once: each takes 19 MiB, and anybody may try to sign in.
var slots = make(chan struct{}, 4)

// HashPassword makes an argon2id hash in PHC form ("$argon2id$v=19$m=...,t=...,p=...$salt$hash"). It takes tens of
// milliseconds. It returns ErrPasswordLength.
func HashPassword(password string) (string, error) {
	if utf8.RuneCountInString(password) < MinPassword || len(password) > MaxPassword {
		return "", ErrPasswordLength
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := derive(password, salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// VerifyPassword returns nil for the password that hash was made of, ErrPasswordMismatch for another, and another error
// for a hash that cannot be read. An empty hash (an unknown user) costs as much time as a real one and never matches, so
// that the time of an answer does not tell which users exist.
func VerifyPassword(hash, password string) error {
	if len(password) > MaxPassword {
		return ErrPasswordMismatch
	}
	if hash == "" {
		derive(password, make([]byte, argonSalt), argonTime, argonMemory, argonThreads, argonKey)
		return ErrPasswordMismatch
	}
	p, err := parsePHC(hash)
	if err != nil {
		return err
	}
	got := derive(password, p.salt, p.time, p.memory, p.threads, uint32(len(p.key)))
	if subtle.ConstantTimeCompare(got, p.key) != 1 {
		return ErrPasswordMismatch
	}
	return nil
}

func derive(password string, salt []byte, time, memory uint32, threads uint8, size uint32) []byte {
	slots <- struct{}{}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, size)
}

type phc struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func parsePHC(hash string) (phc, error) {
	bad := errors.New("stored password hash cannot be read")
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, bad
	}
	var p phc
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return phc{}, bad
	}
	var errSalt, errKey error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	p.key, errKey = base64.RawStdEncoding.DecodeString(parts[5])
	switch {
	case errSalt != nil, errKey != nil, len(p.salt) < 8, len(p.salt) > 64, len(p.key) < 16, len(p.key) > 64:
		return phc{}, bad
	case p.memory < 8, p.memory > maxArgonMemory, p.time < 1, p.time > maxArgonTime, p.threads < 1:
		return phc{}, bad
	}
	return p, nil
}
