package connectors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
)

// FileForm is a multipart/form-data body (RFC 7578) with one file, which is streamed: what stands around the file is made
// beforehand, so that the length is known and nothing is held.
type FileForm struct {
	// Fields stand before the file, in their order.
	Fields []FormField
	// Part is the name of the file's part, Name the file's own and Type its content type.
	Part, Name, Type string
	// Size is the file's in bytes; zero if it is not known.
	Size int64
	// Open begins the file anew. Every attempt to send reads it once.
	Open func(context.Context) (io.ReadCloser, error)
}

// FormField is a field beside the file. Type is its content type; empty for plain text.
type FormField struct{ Name, Type, Value string }

// Post sends the form to url, the address of the CRM that people call label. The body can be had again, so that a token
// which has expired meanwhile costs a refresh and not the attempt. The errors are *Error (with NotSent) where nothing was sent
// because the file could not be opened or the address is none; others are client's own.
func (f FileForm) Post(ctx context.Context, client *http.Client, url, label string, header http.Header) (*http.Response, error) {
	head, tail, contentType, err := f.around()
	if err != nil {
		return nil, &Error{Class: Invalid, NotSent: true, Public: Sentence(Invalid, label), Err: err}
	}
	var source error
	open := func() (io.ReadCloser, error) {
		file, err := f.Open(ctx)
		if err != nil {
			source = err
			return nil, err
		}
		return formBody{io.MultiReader(bytes.NewReader(head), file, bytes.NewReader(tail)), file}, nil
	}
	first, err := open()
	if err != nil {
		return nil, NotSent(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, first)
	if err != nil {
		first.Close()
		return nil, &Error{Class: Invalid, NotSent: true, Public: Sentence(Invalid, label), Err: errors.New("the address cannot be used")}
	}
	r.GetBody = open
	if f.Size > 0 {
		r.ContentLength = int64(len(head)) + f.Size + int64(len(tail))
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "callsync")
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := client.Do(r)
	if err != nil || source != nil {
		// A transport that refuses before it sends need not have closed it; closing twice harms no file.
		first.Close()
	}
	switch {
	case source != nil:
		if err == nil {
			resp.Body.Close()
		}
		return nil, AsError(source)
	case err != nil:
		return nil, err
	}
	// Who answers early is still being sent to: the file is there until the answer has been read.
	resp.Body = formAnswer{resp.Body, first}
	return resp, nil
}

// around is what stands before and after the file.
func (f FileForm) around() (head, tail []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, field := range f.Fields {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", `form-data; name="`+headerSafe(field.Name)+`"`)
		if field.Type != "" {
			h.Set("Content-Type", field.Type)
		}
		p, err := w.CreatePart(h)
		if err == nil {
			_, err = io.WriteString(p, field.Value)
		}
		if err != nil {
			return nil, nil, "", err
		}
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="`+headerSafe(f.Part)+`"; filename="`+headerSafe(f.Name)+`"`)
	kind := f.Type
	if kind == "" || strings.ContainsAny(kind, "\r\n") {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	if _, err := w.CreatePart(h); err != nil {
		return nil, nil, "", err
	}
	head = bytes.Clone(b.Bytes())
	b.Reset()
	if err := w.Close(); err != nil {
		return nil, nil, "", err
	}
	return head, b.Bytes(), w.FormDataContentType(), nil
}

// headerSafe keeps a name within its quotes and its header.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}

type formBody struct {
	io.Reader
	file io.Closer
}

func (b formBody) Close() error { return b.file.Close() }

type formAnswer struct {
	io.ReadCloser
	sent io.Closer
}

func (a formAnswer) Close() error {
	a.sent.Close()
	return a.ReadCloser.Close()
}
