package secretbox_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/internal/secretbox"
)

func keyset(t *testing.T, keys ...string) *secretbox.Keyset {
	t.Helper()
	k, err := secretbox.Parse(strings.Join(keys, ","))
	require.NoError(t, err)
	return k
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	k := keyset(t, secretbox.Generate("k1"))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		context := rapid.String().Draw(t, "context")
		sealed, err := k.Seal(plain, context)
		require.NoError(t, err)
		got, err := k.Open(sealed, context)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got))

		_, err = k.Open(sealed, context+"x")
		require.ErrorIs(t, err, secretbox.ErrCorrupt)
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "byte")
		bent := bytes.Clone(sealed)
		bent[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err = k.Open(bent, context)
		require.Error(t, err)
		_, err = k.Open(sealed[:i], context)
		require.Error(t, err)
	})
}

func TestSealIsRandomised(t *testing.T) {
	t.Parallel()
	k := keyset(t, secretbox.Generate("k1"))
	a, err := k.Seal([]byte("same"), "c")
	require.NoError(t, err)
	b, err := k.Seal([]byte("same"), "c")
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	require.NotContains(t, string(a), "same")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	oldKey, newKey := secretbox.Generate("old"), secretbox.Generate("new")
	before, during, after := keyset(t, oldKey), keyset(t, newKey, oldKey), keyset(t, newKey)

	sealed, err := before.Seal([]byte("secret"), "row:1")
	require.NoError(t, err)
	plain, err := during.Open(sealed, "row:1")
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	_, err = after.Open(sealed, "row:1")
	require.ErrorIs(t, err, secretbox.ErrUnknownKey)

	resealed, changed, err := during.Reseal(sealed, "row:1")
	require.NoError(t, err)
	require.True(t, changed)
	plain, err = after.Open(resealed, "row:1")
	require.NoError(t, err)
	require.Equal(t, "secret", string(plain))
	_, err = before.Open(resealed, "row:1")
	require.ErrorIs(t, err, secretbox.ErrUnknownKey)

	again, changed, err := during.Reseal(resealed, "row:1")
	require.NoError(t, err)
	require.False(t, changed)
	require.Equal(t, resealed, again)
	_, _, err = during.Reseal(sealed, "row:2")
	require.ErrorIs(t, err, secretbox.ErrCorrupt)
}

// A key id that another key of the set shares must not let a box be opened under that other id.
func TestHeaderIsAuthenticated(t *testing.T) {
	t.Parallel()
	material := strings.TrimPrefix(secretbox.Generate("a"), "a:")
	k := keyset(t, "a:"+material, "b:"+material)
	sealed, err := k.Seal([]byte("x"), "c")
	require.NoError(t, err)
	sealed[2] = 'b'
	_, err = k.Open(sealed, "c")
	require.ErrorIs(t, err, secretbox.ErrCorrupt)
}

func TestParseErrorsHoldNoKey(t *testing.T) {
	t.Parallel()
	good := secretbox.Generate("k1")
	material := strings.TrimPrefix(good, "k1:")
	for name, tt := range map[string]struct{ keys, want string }{
		"empty":       {"", "key 1 has no id"},
		"no id":       {material, "key 1 has no id"},
		"empty id":    {":" + material, "key 1 has an id"},
		"hostile id":  {"k 1\n:" + material, "key 1 has an id"},
		"long id":     {strings.Repeat("k", 33) + ":" + material, "key 1 has an id"},
		"not base64":  {"k1:!!" + material, `key "k1" is not base64`},
		"short":       {"k1:" + material[:20], `key "k1" has 15 bytes, it needs 32`},
		"twice":       {good + "," + good, `key id "k1" stands twice`},
		"second bad":  {good + ",k2", "key 2 has no id"},
		"comma ended": {good + ",", "key 2 has no id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := secretbox.Parse(tt.keys)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), material)
			require.NotContains(t, err.Error(), material[:20])
		})
	}
	url := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(good)
	k := keyset(t, " "+url+" ")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "keyset(k1)", fmt.Sprintf(verb, k))
	}
	require.Equal(t, "keyset(k1)", k.LogValue().String())
}

func FuzzOpen(f *testing.F) {
	k, err := secretbox.Parse(secretbox.Generate("k1"))
	require.NoError(f, err)
	sealed, err := k.Seal([]byte("x"), "c")
	require.NoError(f, err)
	f.Add(sealed)
	f.Add([]byte{1, 255})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Open(b, "c"); err == nil && !bytes.Equal(b, sealed) {
			t.Fatal("opened something that was not sealed")
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		token := secretbox.NewToken()
		require.Regexp(t, `^cs_[a-z2-7]{26,}$`, token)
		require.False(t, seen[token])
		seen[token] = true
	}
	require.Len(t, secretbox.HashToken("x"), 32)
	require.NotEqual(t, secretbox.HashToken("x"), secretbox.HashToken("y"))
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	hash, err := secretbox.HashPassword("correct horse")
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[^$]+\$[^$]+$`, hash)
	require.NoError(t, secretbox.VerifyPassword(hash, "correct horse"))
	require.ErrorIs(t, secretbox.VerifyPassword(hash, "correct horsf"), secretbox.ErrPasswordMismatch)
	require.ErrorIs(t, secretbox.VerifyPassword(hash, ""), secretbox.ErrPasswordMismatch)
	require.ErrorIs(t, secretbox.VerifyPassword(hash, strings.Repeat("x", 1<<20)), secretbox.ErrPasswordMismatch)
	require.ErrorIs(t, secretbox.VerifyPassword("", "correct horse"), secretbox.ErrPasswordMismatch)

	other, err := secretbox.HashPassword("correct horse")
	require.NoError(t, err)
	require.NotEqual(t, hash, other, "salted")

	_, err = secretbox.HashPassword("short")
	require.ErrorIs(t, err, secretbox.ErrPasswordLength)
	_, err = secretbox.HashPassword(strings.Repeat("x", secretbox.MaxPassword+1))
	require.ErrorIs(t, err, secretbox.ErrPasswordLength)

	for _, bad := range []string{
		"x", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		strings.Replace(hash, "m=19456", "m=4294967295", 1), strings.Replace(hash, "t=2", "t=0", 1),
		strings.Replace(hash, "p=1", "p=0", 1), strings.Replace(hash, "v=19", "v=16", 1), hash + "$x", hash[:len(hash)-30],
	} {
		err := secretbox.VerifyPassword(bad, "correct horse")
		require.Error(t, err)
		require.NotErrorIs(t, err, secretbox.ErrPasswordMismatch)
	}
}

// A vector of the reference implementation's own tests (phc-winner-argon2, src/test.c).
func TestPasswordReferenceVector(t *testing.T) {
	t.Parallel()
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	require.NoError(t, secretbox.VerifyPassword(hash, "password"))
	require.ErrorIs(t, secretbox.VerifyPassword(hash, "differentpassword"), secretbox.ErrPasswordMismatch)
}
