package blobstore_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/blobstore"
)

// fakeS3 is as strict as S3 in what the store relies on: keys that are signed for, sizes of parts, checksums, uploads that
// are not there, and parts that are not those which were uploaded.
type fakeS3 struct {
	t       *testing.T
	http    *httptest.Server
	mu      sync.Mutex
	objects map[string][]byte
	uploads map[string]*fakeUpload
	n       int
	// largest is the largest body that one request brought.
	largest int
}

type fakeUpload struct {
	key   string
	parts map[int][]byte
}

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "hunter2hunter2"
)

func newFakeS3(t *testing.T) *fakeS3 {
	f := &fakeS3{t: t, objects: map[string][]byte{}, uploads: map[string]*fakeUpload{}}
	f.http = httptest.NewServer(f)
	t.Cleanup(f.http.Close)
	return f
}

func (f *fakeS3) store(t *testing.T, more string) blobstore.Store {
	t.Helper()
	u, err := url.Parse(f.http.URL)
	require.NoError(t, err)
	s, err := blobstore.Open("s3://" + accessKey + ":" + secretKey + "@" + u.Host + "/bucket/some/prefix?region=eu-central-1&insecure=true&style=path" + more)
	require.NoError(t, err)
	return s
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}

func answerXML(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(v)
}

func etag(b []byte) string {
	sum := md5.Sum(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	signed := strings.Contains(r.Header.Get("Authorization"), "Credential="+accessKey+"/") || strings.HasPrefix(q.Get("X-Amz-Credential"), accessKey+"/") && q.Get("X-Amz-Signature") != ""
	if !signed {
		refuse(w, 403, "AccessDenied")
		return
	}
	if secs, _ := strconv.Atoi(q.Get("X-Amz-Expires")); q.Has("X-Amz-Expires") && (secs <= 0 || secs > 7*86400) {
		refuse(w, 400, "AuthorizationQueryParametersError")
		return
	}
	key, inBucket := strings.CutPrefix(r.URL.Path, "/bucket/")
	if !inBucket && strings.TrimSuffix(r.URL.Path, "/") != "/bucket" {
		refuse(w, 404, "NoSuchBucket")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.largest = max(f.largest, len(body))
	if sum := r.Header.Get("Content-MD5"); sum != "" {
		if have := md5.Sum(body); base64.StdEncoding.EncodeToString(have[:]) != sum {
			refuse(w, 400, "BadDigest")
			return
		}
	}
	if sum := sha256.Sum256(body); r.Method == "PUT" && r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		refuse(w, 400, "XAmzContentSHA256Mismatch")
		return
	}
	switch {
	case !inBucket || key == "":
		f.bucket(w, r, q)
	case r.Method == "POST" && q.Has("uploads"):
		f.n++
		id := fmt.Sprintf("upload-%d", f.n)
		f.uploads[id] = &fakeUpload{key: key, parts: map[int][]byte{}}
		answerXML(w, struct {
			XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
			UploadId string
		}{UploadId: id})
	case q.Has("uploadId"):
		f.upload(w, r, q, key, body)
	case r.Method == "PUT":
		f.objects[key] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == "DELETE":
		delete(f.objects, key)
		w.WriteHeader(204)
	default:
		data, ok := f.objects[key]
		if !ok {
			refuse(w, 404, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", etag(data))
		if v := q.Get("response-content-type"); v != "" {
			w.Header().Set("Content-Type", v)
		}
		if v := q.Get("response-content-disposition"); v != "" {
			w.Header().Set("Content-Disposition", v)
		}
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), strings.NewReader(string(data)))
	}
}

func (f *fakeS3) bucket(w http.ResponseWriter, r *http.Request, q url.Values) {
	if q.Has("uploads") {
		type upload struct{ Key, UploadId string }
		out := struct {
			XMLName xml.Name `xml:"ListMultipartUploadsResult"`
			Upload  []upload
		}{}
		for id, u := range f.uploads {
			if strings.HasPrefix(u.key, q.Get("prefix")) {
				out.Upload = append(out.Upload, upload{u.key, id})
			}
		}
		answerXML(w, out)
		return
	}
	if r.Method != "HEAD" {
		refuse(w, 400, "NotImplemented")
	}
}

func (f *fakeS3) upload(w http.ResponseWriter, r *http.Request, q url.Values, key string, body []byte) {
	u, ok := f.uploads[q.Get("uploadId")]
	if !ok || u.key != key {
		refuse(w, 404, "NoSuchUpload")
		return
	}
	switch r.Method {
	case "PUT":
		n, _ := strconv.Atoi(q.Get("partNumber"))
		if n < 1 || n > 10_000 {
			refuse(w, 400, "InvalidArgument")
			return
		}
		u.parts[n] = body
		w.Header().Set("ETag", etag(body))
	case "GET":
		type part struct {
			PartNumber int
			ETag       string
			Size       int
		}
		out := struct {
			XMLName xml.Name `xml:"ListPartsResult"`
			Part    []part
		}{}
		for n, p := range u.parts {
			out.Part = append(out.Part, part{n, etag(p), len(p)})
		}
		slices.SortFunc(out.Part, func(a, b part) int { return a.PartNumber - b.PartNumber })
		answerXML(w, out)
	case "DELETE":
		delete(f.uploads, q.Get("uploadId"))
		w.WriteHeader(204)
	case "POST":
		var in struct {
			Part []struct {
				PartNumber int
				ETag       string
			}
		}
		if xml.Unmarshal(body, &in) != nil || len(in.Part) == 0 {
			refuse(w, 400, "MalformedXML")
			return
		}
		var whole []byte
		for i, p := range in.Part {
			data, ok := u.parts[p.PartNumber]
			switch {
			case !ok || strings.Trim(p.ETag, `"`) != strings.Trim(etag(data), `"`):
				refuse(w, 400, "InvalidPart")
				return
			case i > 0 && p.PartNumber <= in.Part[i-1].PartNumber:
				refuse(w, 400, "InvalidPartOrder")
				return
			case i < len(in.Part)-1 && len(data) < 5<<20:
				refuse(w, 400, "EntityTooSmall")
				return
			}
			whole = append(whole, data...)
		}
		f.objects[key] = whole
		delete(f.uploads, q.Get("uploadId"))
		answerXML(w, struct {
			XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
			Bucket  string
			Key     string
			ETag    string
		}{Bucket: "bucket", Key: key, ETag: etag(whole)})
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	f := newFakeS3(t)
	s := f.store(t, "")
	part := s.PartSize()
	data := sound(part + 100)
	u := blobstore.Upload{Key: "ws/rec/one"}
	require.NoError(t, s.Write(t.Context(), &u, data[:part]))
	// Another process goes on with what was noted.
	u = blobstore.Upload{Key: u.Key, Offset: u.Offset, ID: u.ID}
	require.NoError(t, s.Finish(t.Context(), &u, data[part:]))
	require.Equal(t, data, f.objects["some/prefix/ws/rec/one"])
	require.LessOrEqual(t, f.largest, part)

	link, err := s.Link(t.Context(), u.Key, blobstore.Headers{ContentType: "audio/mpeg", Disposition: `inline; filename="a.mp3"`}, time.Hour)
	require.NoError(t, err)
	require.NotContains(t, link, secretKey)
	req, err := http.NewRequestWithContext(t.Context(), "GET", link, nil)
	require.NoError(t, err)
	req.Header.Set("Range", "bytes=10-19")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 206, resp.StatusCode)
	require.Equal(t, data[10:20], got)
	require.Equal(t, "audio/mpeg", resp.Header.Get("Content-Type"))
	require.Equal(t, `inline; filename="a.mp3"`, resp.Header.Get("Content-Disposition"))

	_, err = f.store(t, "&links=off").Link(t.Context(), u.Key, blobstore.Headers{}, time.Hour)
	require.ErrorIs(t, err, blobstore.ErrNoLinks)

	f.http.Close()
	err = s.Finish(t.Context(), &blobstore.Upload{Key: "ws/x"}, []byte("x"))
	require.Error(t, err)
	require.NotContains(t, err.Error(), secretKey)
}
