package blobstore_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/blobstore"
)

// sound is so many bytes of nothing in particular.
func sound(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(b)
	return b
}

func readAll(t *testing.T, s blobstore.Store, key string, offset, length int64) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), key, offset, length)
	require.NoError(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

// stores are both kinds, each empty.
func stores(t *testing.T) map[string]blobstore.Store {
	t.Helper()
	dir, err := blobstore.Open("file://" + filepath.Join(t.TempDir(), "not", "there", "yet"))
	require.NoError(t, err)
	return map[string]blobstore.Store{"folder": dir, "bucket": newFakeS3(t).store(t, "")}
}

func TestStores(t *testing.T) {
	t.Parallel()
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			require.NoError(t, s.Check(ctx))
			part := s.PartSize()
			for _, size := range []int{0, 1, part - 1, part, part + 1, 2*part + 17} {
				data := sound(size)
				u := blobstore.Upload{Key: "ws/rec-" + strings.Repeat("a", size%7+1) + "/x" + string(rune('a'+size%26))}
				rest := data
				for len(rest) >= part && len(rest) > 0 {
					_, err := s.Open(ctx, u.Key, 0, -1)
					require.ErrorIs(t, err, blobstore.ErrNotFound, "nobody reads what is not whole")
					// Each part is written twice: whoever was killed before noting it writes it again.
					again := u
					require.NoError(t, s.Write(ctx, &again, rest[:part]))
					if again.Offset == int64(part) {
						u.ID = again.ID
					}
					require.NoError(t, s.Write(ctx, &u, rest[:part]))
					rest = rest[part:]
				}
				require.EqualValues(t, size-len(rest), u.Offset)
				done := u
				require.NoError(t, s.Finish(ctx, &done, rest))
				if u.Offset > 0 {
					require.NoError(t, s.Finish(ctx, &u, rest), "who was killed right after may repeat it")
				}
				require.Equal(t, data, append([]byte{}, readAll(t, s, u.Key, 0, -1)...))
				if size > 10 {
					require.Equal(t, data[5:9], readAll(t, s, u.Key, 5, 4))
					require.Equal(t, data[size-3:], readAll(t, s, u.Key, int64(size)-3, -1))
				}
				require.NoError(t, s.Delete(ctx, u.Key))
				require.NoError(t, s.Delete(ctx, u.Key), "what is gone is gone")
				_, err := s.Open(ctx, u.Key, 0, -1)
				require.ErrorIs(t, err, blobstore.ErrNotFound)
			}
			u := blobstore.Upload{Key: "ws/half"}
			require.NoError(t, s.Write(ctx, &u, sound(part)))
			require.NoError(t, s.Delete(ctx, u.Key), "an unfinished one goes too")
			require.ErrorIs(t, s.Finish(ctx, &u, []byte("x")), blobstore.ErrLost)
			require.Error(t, s.Write(ctx, &blobstore.Upload{Key: "ws/x"}, []byte("short")), "parts have one size")
			for _, key := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/b.part", `a\b`, "a b", strings.Repeat("a", 400)} {
				require.Error(t, s.Finish(ctx, &blobstore.Upload{Key: key}, []byte("x")), key)
				_, err := s.Open(ctx, key, 0, -1)
				require.Error(t, err, key)
				require.Error(t, s.Delete(ctx, key), key)
			}
		})
	}
}

// A link inside the folder that leads out of it is not followed.
func TestFolderKeepsToItself(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(out, "secret"), []byte("hunter2"), 0o600))
	require.NoError(t, os.Symlink(out, filepath.Join(dir, "ws")))
	s, err := blobstore.Open("file://" + dir)
	require.NoError(t, err)
	_, err = s.Open(t.Context(), "ws/secret", 0, -1)
	require.Error(t, err)
	require.Error(t, s.Finish(t.Context(), &blobstore.Upload{Key: "ws/new"}, []byte("x")))
	require.NoFileExists(t, filepath.Join(out, "new"))
	require.NoFileExists(t, filepath.Join(out, "new.part"))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "recordings", "/var/lib/x", "file://relative/x", "file:///", "http://x/y", "s3://host", "s3://K:hunter2@/bucket", "s3://K:hunter2@host/bucket?colour=red", "file:///x?y=1"} {
		_, err := blobstore.Open(raw)
		require.Error(t, err, raw)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, raw := range []string{"file:///var/lib/x", "s3://K:S@s3.eu-central-1.amazonaws.com/bucket/pre/fix?region=eu-central-1", "s3://minio:9000/bucket?insecure=true&style=path&links=off"} {
		_, err := blobstore.Open(raw)
		require.NoError(t, err, raw)
	}
}
