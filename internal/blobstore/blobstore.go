// Package blobstore keeps large files in a folder or in a bucket of an S3-compatible service. Files are written in parts,
// so that neither a process that is killed nor a connection that breaks costs more than one part, and nobody ever reads a
// file that is not whole. Memory is bounded by one part.
package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// ErrNotFound is returned for a file that is not there.
var ErrNotFound = errors.New("the file is not in the store")

// ErrNoLinks is returned by Link of a store whose files only this process can serve.
var ErrNoLinks = errors.New("the store makes no links")

// ErrLost is returned when a file cannot be gone on with: the parts that were written are not there any more.
var ErrLost = errors.New("what was written of the file is gone")

// Upload is how far a file is written. Its owner keeps it, so that another process can go on.
type Upload struct {
	// Key names the file: letters, digits, '-', and '/' between names.
	Key string
	// Offset is how many bytes are written and will still be there after a crash: whole parts.
	Offset int64
	// ID is the store's own name of the upload; empty before the first part.
	ID string
}

// Headers are what a link answers with.
type Headers struct {
	ContentType string
	// Disposition is a whole Content-Disposition.
	Disposition string
}

// Store keeps files. It is safe for concurrent use, but an upload has one writer at a time: of two, the file may be refused
// by Finish, or be spoilt, which its checksum shows.
type Store interface {
	// PartSize is the size of every part but the last, in bytes.
	PartSize() int
	// Write adds a part of exactly PartSize and advances u. Errors: ErrLost.
	Write(ctx context.Context, u *Upload, part []byte) error
	// Finish adds the last part, which may be empty, and makes the file readable, whole and under its key, at once. It may
	// be repeated after a crash. Errors: ErrLost.
	Finish(ctx context.Context, u *Upload, last []byte) error
	// Open reads length bytes from offset on; length below zero means to the end. Errors: ErrNotFound.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Delete removes a file and what was written of it; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Link makes a URL by which anybody can read the file for as long as ttl. Errors: ErrNoLinks.
	Link(ctx context.Context, key string, h Headers, ttl time.Duration) (string, error)
	// Check tells whether the store can be written to.
	Check(ctx context.Context) error
}

// Open opens the store that a URL names. Nothing is sent or made before the first use.
//
//	file:///var/lib/callsync/recordings
//	s3://KEY:SECRET@s3.eu-central-1.amazonaws.com/bucket/prefix?region=eu-central-1
//
// Of S3: insecure=true speaks http, style=path names the bucket in the path, links=off has files served by the caller, for
// services that people's browsers do not reach. Without a key, the keys of the environment or of the machine's role are
// used. Errors do not repeat the URL, which may hold a secret.
func Open(raw string) (Store, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.Trim(u.Path, "/") == "" || u.RawQuery != "" {
			return nil, errors.New("write file:///folder with the whole path of a folder")
		}
		return &folder{path: u.Path}, nil
	case "s3":
		return openBucket(u)
	}
	return nil, errors.New("it must begin with file:// or s3://")
}

// checkKey refuses what could leave the store's folder.
func checkKey(key string) error {
	if key == "" || len(key) > 300 {
		return errors.New("blobstore: the key is empty or too long")
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
		}) {
			return fmt.Errorf("blobstore: the key has a part that is empty or not made of letters, digits and '-'")
		}
	}
	return nil
}
