package recordings

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"github.com/callsync/callsync/records"
)

// sniffed is how much of a file is looked at to tell what it is.
const sniffed = 512

// octets is the type of a recording of which nothing better is known. Nothing that a browser would run is ever served under
// our name: a type that is none of a recording becomes this one.
const octets = "application/octet-stream"

// sameType are other names of types.
var sameType = map[string]string{
	"audio/mp3": "audio/mpeg", "audio/mpeg3": "audio/mpeg", "audio/x-mpeg": "audio/mpeg", "audio/x-mp3": "audio/mpeg", "audio/mpg": "audio/mpeg",
	"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav", "audio/x-pn-wav": "audio/wav",
	"application/ogg": "audio/ogg", "audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4", "audio/x-flac": "audio/flac", "audio/x-gsm": "audio/gsm",
	"audio/x-aiff": "audio/aiff", "audio/3gpp": "audio/amr", "audio/x-aac": "audio/aac",
}

// typeOf is the type of a recording: by its first bytes, else as it was sent or announced. ok is false for what is no
// sound: a page that asks for a login, an error in JSON.
func typeOf(head []byte, sent, announced string) (contentType string, ok bool) {
	if t := typeOfBytes(head); t != "" {
		return t, true
	}
	sent = plainType(sent)
	if text(head) || strings.HasPrefix(sent, "text/") || strings.HasPrefix(sent, "image/") || sent == "application/json" ||
		strings.HasSuffix(sent, "+json") || strings.HasSuffix(sent, "xml") || strings.HasPrefix(sent, "multipart/") {
		return "", false
	}
	for _, t := range []string{sent, plainType(announced)} {
		if _, known := records.RecordingExtension(t); known {
			return t, true
		}
	}
	return octets, true
}

func typeOfBytes(head []byte) string {
	at := func(offset int, s string) bool {
		return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(s))
	}
	switch {
	case at(0, "RIFF") && at(8, "WAVE"), at(0, "RF64") && at(8, "WAVE"):
		return "audio/wav"
	case at(0, "ID3"), len(head) > 2 && head[0] == 0xff && head[1]&0xe6 == 0xe2 && head[2]&0xf0 != 0xf0:
		return "audio/mpeg"
	case at(0, "OggS"):
		return "audio/ogg"
	case at(0, "fLaC"):
		return "audio/flac"
	case at(4, "ftypM4A"), at(4, "ftypM4B"):
		return "audio/mp4"
	case at(4, "ftyp"):
		return "video/mp4"
	case at(0, "#!AMR"):
		return "audio/amr"
	case at(0, "FORM") && at(8, "AIF"):
		return "audio/aiff"
	case at(0, ".snd"):
		return "audio/basic"
	case at(0, "\x1aE\xdf\xa3"):
		return "video/webm"
	case len(head) > 2 && head[0] == 0xff && head[1]&0xf6 == 0xf0:
		return "audio/aac"
	}
	return ""
}

// text tells a page, or an error in words, from sound.
func text(head []byte) bool {
	return len(head) > 0 && strings.HasPrefix(http.DetectContentType(head), "text/")
}

// plainType is a media type without parameters, under its usual name.
func plainType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil {
		return ""
	}
	if usual, ok := sameType[t]; ok {
		return usual
	}
	return t
}
