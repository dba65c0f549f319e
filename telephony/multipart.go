package telephony

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
)

// mostParts bounds the fields of a multipart form.
const mostParts = 1000

// boundaryOf returns the boundary of a multipart form: the one that Content-Type names, else the one the body begins
// with. Empty is none.
func boundaryOf(r Request, body []byte) string {
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
		if b := params["boundary"]; b != "" && bytes.HasPrefix(body, []byte("--"+b)) {
			return b
		}
	}
	line, _, found := bytes.Cut(body, []byte("\n"))
	line = bytes.TrimRight(line, " \t\r")
	if !found || len(line) < 3 || len(line) > 72 || !bytes.HasPrefix(line, []byte("--")) || !bytes.Contains(body, []byte("form-data")) {
		return ""
	}
	return string(line[2:])
}

// multipartValues reads the text fields of a multipart form. Files are left out: no phone system sends one with its
// events.
func multipartValues(body []byte, boundary string) (url.Values, error) {
	values := url.Values{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := reader.NextPart()
		switch {
		// A header that breaks off is an io.EOF too.
		case err == io.EOF && bytes.HasSuffix(body, []byte("--"+boundary+"--")):
			return values, nil
		case err == nil && n >= mostParts:
			err = fmt.Errorf("more than %d parts", mostParts)
		}
		if err == nil && part.FormName() != "" && part.FileName() == "" {
			var text []byte
			if text, err = io.ReadAll(part); err == nil {
				values.Add(part.FormName(), string(text))
			}
		}
		if err != nil {
			// The reader's own text may quote the body.
			return nil, &UnreadableError{
				Where: fmt.Sprintf("body, part %d", n+1), Public: "The request is a multipart form that breaks off or does not fit its boundary.",
				Err: errors.New("invalid multipart form"),
			}
		}
	}
}
