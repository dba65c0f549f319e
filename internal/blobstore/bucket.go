package blobstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucketPart is the size of a bucket's parts: S3 takes none below 5 MiB, and 10,000 of a file.
const bucketPart = 8 << 20

// bucket keeps files in a bucket of an S3-compatible service. Parts are those of a multipart upload: S3 keeps them until
// the upload is completed or deleted.
type bucket struct {
	core   *minio.Core
	name   string
	prefix string
	links  bool
}

func openBucket(u *url.URL) (Store, error) {
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if u.Host == "" || name == "" {
		return nil, errors.New("write s3://KEY:SECRET@host/bucket")
	}
	b := &bucket{name: name, prefix: prefix, links: true}
	o := &minio.Options{Secure: true, MaxRetries: 3}
	for k, v := range u.Query() {
		value := v[0]
		switch {
		case k == "region":
			o.Region = value
		case k == "insecure" && (value == "true" || value == "false"):
			o.Secure = value == "false"
		case k == "style" && value == "path":
			o.BucketLookup = minio.BucketLookupPath
		case k == "style" && value == "host":
			o.BucketLookup = minio.BucketLookupDNS
		case k == "links" && (value == "on" || value == "off"):
			b.links = value == "on"
		default:
			return nil, errors.New("after the '?', only region=..., insecure=true, style=path or style=host, and links=off may stand")
		}
	}
	if secret, ok := u.User.Password(); ok {
		o.Creds = credentials.NewStaticV4(u.User.Username(), secret, "")
	} else {
		o.Creds = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		})
	}
	core, err := minio.NewCore(u.Host, o)
	if err != nil {
		return nil, errors.New("the host or the options of the S3 service cannot be used")
	}
	core.SetAppInfo("callsync", "1")
	b.core = core
	return b, nil
}

func (b *bucket) object(key string) string { return path.Join(b.prefix, key) }

func (b *bucket) PartSize() int { return bucketPart }

func (b *bucket) Write(ctx context.Context, u *Upload, part []byte) error {
	if len(part) != bucketPart {
		return fmt.Errorf("blobstore: a part has %d bytes", len(part))
	}
	if err := b.put(ctx, u, part); err != nil {
		return err
	}
	u.Offset += int64(len(part))
	return nil
}

// put uploads a part under the number that its offset gives it: to repeat one replaces it.
func (b *bucket) put(ctx context.Context, u *Upload, part []byte) error {
	if err := checkKey(u.Key); err != nil {
		return err
	}
	if u.ID == "" {
		id, err := b.core.NewMultipartUpload(ctx, b.name, b.object(u.Key), minio.PutObjectOptions{ContentType: octets})
		if err != nil {
			return b.failed("begin an upload", err)
		}
		u.ID = id
	}
	number := int(u.Offset/bucketPart) + 1
	_, err := b.core.PutObjectPart(ctx, b.name, b.object(u.Key), u.ID, number, bytes.NewReader(part), int64(len(part)),
		minio.PutObjectPartOptions{Md5Base64: sum(part), Sha256Hex: signed(part), DisableContentSha256: true})
	return b.failed("upload a part", err)
}

// octets is the type that files have in the bucket; links answer with another.
const octets = "application/octet-stream"

func sum(part []byte) string {
	digest := md5.Sum(part) // Content-MD5: what S3 checks a part by
	return base64.StdEncoding.EncodeToString(digest[:])
}

// signed is the hash that a request's signature covers: without it the library would send the body in signed chunks, which
// not every service understands.
func signed(part []byte) string {
	digest := sha256.Sum256(part)
	return hex.EncodeToString(digest[:])
}

func (b *bucket) Finish(ctx context.Context, u *Upload, last []byte) error {
	if err := checkKey(u.Key); err != nil {
		return err
	}
	if u.Offset == 0 {
		_, err := b.core.PutObject(ctx, b.name, b.object(u.Key), bytes.NewReader(last), int64(len(last)), sum(last), signed(last),
			minio.PutObjectOptions{ContentType: octets, DisableMultipart: true, DisableContentSha256: true})
		return b.failed("upload a file", err)
	}
	size := u.Offset + int64(len(last))
	var err error
	if len(last) > 0 {
		err = b.put(ctx, u, last)
	}
	if err == nil {
		err = b.complete(ctx, u, size)
	}
	if errors.Is(err, ErrLost) {
		// It may be complete already, by somebody who was killed right after.
		if info, serr := b.core.StatObject(ctx, b.name, b.object(u.Key), minio.StatObjectOptions{}); serr == nil && info.Size == size {
			return nil
		}
	}
	return err
}

func (b *bucket) complete(ctx context.Context, u *Upload, size int64) error {
	wanted := int((size + bucketPart - 1) / bucketPart)
	var parts []minio.CompletePart
	for marker := 0; len(parts) < wanted; {
		page, err := b.core.ListObjectParts(ctx, b.name, b.object(u.Key), u.ID, marker, 1000)
		if err != nil {
			return b.failed("list parts", err)
		}
		for _, p := range page.ObjectParts {
			if p.PartNumber <= wanted {
				parts = append(parts, minio.CompletePart{PartNumber: p.PartNumber, ETag: p.ETag})
				size -= p.Size
			}
		}
		if !page.IsTruncated || page.NextPartNumberMarker <= marker {
			break
		}
		marker = page.NextPartNumberMarker
	}
	if len(parts) != wanted || size != 0 {
		return ErrLost
	}
	_, err := b.core.CompleteMultipartUpload(ctx, b.name, b.object(u.Key), u.ID, parts, minio.PutObjectOptions{})
	return b.failed("complete an upload", err)
}

func (b *bucket) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if length == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	var o minio.GetObjectOptions
	if length > 0 {
		o.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	} else if offset > 0 {
		o.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	body, _, _, err := b.core.GetObject(ctx, b.name, b.object(key), o)
	if err != nil {
		return nil, b.failed("read a file", err)
	}
	return body, nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := b.core.RemoveIncompleteUpload(ctx, b.name, b.object(key)); err != nil {
		if err = b.failed("give up an upload", err); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrLost) {
			return err
		}
	}
	err := b.failed("delete a file", b.core.RemoveObject(ctx, b.name, b.object(key), minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (b *bucket) Link(ctx context.Context, key string, h Headers, ttl time.Duration) (string, error) {
	if !b.links {
		return "", ErrNoLinks
	}
	if err := checkKey(key); err != nil {
		return "", err
	}
	u, err := b.core.PresignedGetObject(ctx, b.name, b.object(key), ttl, url.Values{
		"response-content-type": {h.ContentType}, "response-content-disposition": {h.Disposition}, "response-cache-control": {"private, no-store"},
	})
	if err != nil {
		return "", b.failed("make a link", err)
	}
	return u.String(), nil
}

func (b *bucket) Check(ctx context.Context) error {
	ok, err := b.core.BucketExists(ctx, b.name)
	if err != nil {
		return b.failed("look for the bucket", err)
	}
	if !ok {
		return errors.New("blobstore: the bucket does not exist")
	}
	return nil
}

// failed makes one error of the service's: its code is kept, its text may quote the request.
func (b *bucket) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	answer := minio.ToErrorResponse(err)
	switch answer.Code {
	case "NoSuchKey":
		return ErrNotFound
	case "NoSuchUpload", "InvalidPart":
		return fmt.Errorf("blobstore: %s: %w", doing, ErrLost)
	case "":
		// No answer: net/http's error holds the URL, which of presigned requests is a secret.
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("blobstore: %s: %w", doing, err)
	}
	return fmt.Errorf("blobstore: %s: the service answered %d %s", doing, answer.StatusCode, answer.Code)
}
