package odoo

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// The codes of faults at /xmlrpc/2 (odoo/addons/base/controllers/rpc.py).
const (
	faultApplication = 1
	faultWarning     = 2
	faultDenied      = 3
	faultAccess      = 4
)

// xmlrpc speaks XML-RPC. The result goes through JSON, so that all protocols decode alike.
func (s *session) xmlrpc(ctx context.Context, name, service, method string, args []any, reads bool, file *fileBody, out any) error {
	body, err := encodeXML(method, args)
	if err != nil {
		return invalidRequest(name)
	}
	status, header, answer, err := s.send(ctx, name, "/xmlrpc/2/"+service, "text/xml", body, file, reads)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return s.refusal(name, status, header, fault{})
	}
	value, isFault, err := decodeXML(answer)
	if err != nil {
		return connectors.Unreadable(Label, "odoo "+name, reads)
	}
	if isFault {
		v, _ := value.(map[string]any)
		code, _ := v["faultCode"].(int64)
		text, _ := v["faultString"].(string)
		return s.refusal(name, http.StatusInternalServerError, header, xmlFault(code, text))
	}
	result, err := json.Marshal(value)
	if err != nil {
		return connectors.Unreadable(Label, "odoo "+name, reads)
	}
	return decodeResult(result, out, name, reads)
}

// xmlFault gives a fault the name that the other protocols have for it. The text of an unexpected error is a traceback,
// whose last line tells.
func xmlFault(code int64, text string) fault {
	switch code {
	case faultWarning:
		return fault{name: "odoo.exceptions.UserError", message: text}
	case faultDenied:
		return fault{name: "odoo.exceptions.AccessDenied", message: text}
	case faultAccess:
		return fault{name: "odoo.exceptions.AccessError", message: text}
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	last := lines[len(lines)-1]
	for i := len(lines) - 1; i >= 0; i-- {
		// An exception's text may have several lines; the one with its name is the last that is not indented and has a colon.
		if name, message, ok := strings.Cut(lines[i], ": "); ok && exceptionName.MatchString(name) {
			if !strings.Contains(name, ".") {
				name = "builtins." + name
			}
			return fault{name: name, message: strings.Join(append([]string{message}, lines[i+1:]...), "\n")}
		}
	}
	return fault{name: "builtins.Exception", message: last}
}

func encodeXML(method string, args []any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<methodCall><methodName>" + method + "</methodName><params>")
	for _, a := range args {
		b.WriteString("<param>")
		if err := writeXML(&b, a); err != nil {
			return nil, err
		}
		b.WriteString("</param>")
	}
	b.WriteString("</params></methodCall>")
	return b.Bytes(), nil
}

func writeXML(b *bytes.Buffer, v any) error {
	b.WriteString("<value>")
	switch v := v.(type) {
	case nil:
		// Odoo takes no nil; false is its nothing.
		b.WriteString("<boolean>0</boolean>")
	case bool:
		if v {
			b.WriteString("<boolean>1</boolean>")
		} else {
			b.WriteString("<boolean>0</boolean>")
		}
	case string:
		b.WriteString("<string>")
		// EscapeText writes what XML cannot hold as U+FFFD; clean has taken it out before.
		if err := xml.EscapeText(b, []byte(v)); err != nil {
			return err
		}
		b.WriteString("</string>")
	case int:
		return writeInt(b, int64(v))
	case int64:
		return writeInt(b, v)
	case float64:
		b.WriteString("<double>" + strconv.FormatFloat(v, 'f', -1, 64) + "</double>")
	case []any:
		return writeList(b, v)
	case []string:
		return writeList(b, v)
	case []int64:
		return writeList(b, v)
	case [][]any:
		return writeList(b, v)
	case []domainTerm:
		return writeList(b, v)
	case domainTerm:
		return writeList(b, []any(v))
	case map[string]any:
		b.WriteString("<struct>")
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			b.WriteString("<member><name>")
			if err := xml.EscapeText(b, []byte(name)); err != nil {
				return err
			}
			b.WriteString("</name>")
			if err := writeXML(b, v[name]); err != nil {
				return err
			}
			b.WriteString("</member>")
		}
		b.WriteString("</struct>")
	default:
		return fmt.Errorf("odoo: a value of type %T", v)
	}
	b.WriteString("</value>")
	return nil
}

// writeInt writes a whole number, which XML-RPC limits to 32 bits.
func writeInt(b *bytes.Buffer, n int64) error {
	if int64(int32(n)) != n {
		b.WriteString("<double>" + strconv.FormatInt(n, 10) + "</double></value>")
		return nil
	}
	b.WriteString("<int>" + strconv.FormatInt(n, 10) + "</int></value>")
	return nil
}

func writeList[T any](b *bytes.Buffer, list []T) error {
	b.WriteString("<array><data>")
	for _, x := range list {
		if err := writeXML(b, x); err != nil {
			return err
		}
	}
	b.WriteString("</data></array></value>")
	return nil
}

var errXML = errors.New("odoo: not an answer in XML-RPC")

// maxDepth bounds the nesting of an answer.
const maxDepth = 40

// decodeXML reads a methodResponse.
func decodeXML(text []byte) (value any, isFault bool, err error) {
	d := &xmlDecoder{xml.NewDecoder(bytes.NewReader(text))}
	if err := d.expect("methodResponse"); err != nil {
		return nil, false, err
	}
	name, err := d.start()
	if err != nil {
		return nil, false, err
	}
	switch name {
	case "fault":
		isFault = true
	case "params":
		if err := d.expect("param"); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, errXML
	}
	if err := d.expect("value"); err != nil {
		return nil, false, err
	}
	if value, err = d.value(0); err != nil {
		return nil, false, err
	}
	// The rest must be there: an answer that was cut off is none.
	for {
		if _, err := d.Token(); err == io.EOF {
			return value, isFault, nil
		} else if err != nil {
			return nil, false, err
		}
	}
}

type xmlDecoder struct{ *xml.Decoder }

// start is the name of the next element, or "" where the enclosing one ends.
func (d *xmlDecoder) start() (string, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", nil
		}
	}
}

func (d *xmlDecoder) expect(name string) error {
	got, err := d.start()
	if err == nil && got != name {
		err = errXML
	}
	return err
}

// value reads what is inside <value>, and its end.
func (d *xmlDecoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errXML
	}
	var text strings.Builder
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			// Without a type it is a string.
			return text.String(), nil
		case xml.StartElement:
			v, err := d.typed(t.Name.Local, depth)
			if err != nil {
				return nil, err
			}
			if end, err := d.start(); err != nil || end != "" {
				return nil, errXML
			}
			return v, nil
		}
	}
}

func (d *xmlDecoder) typed(kind string, depth int) (any, error) {
	switch kind {
	case "array":
		return d.array(depth)
	case "struct":
		return d.members(depth)
	}
	var text strings.Builder
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
			continue
		case xml.StartElement:
			return nil, errXML
		case xml.EndElement:
		default:
			continue
		}
		break
	}
	s := text.String()
	switch kind {
	case "string", "dateTime.iso8601", "base64":
		return s, nil
	case "int", "i4", "i8":
		return strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	case "boolean":
		return strings.TrimSpace(s) == "1", nil
	case "double":
		return strconv.ParseFloat(strings.TrimSpace(s), 64)
	case "nil":
		return nil, nil
	}
	return nil, errXML
}

func (d *xmlDecoder) array(depth int) (any, error) {
	if err := d.expect("data"); err != nil {
		return nil, err
	}
	out := []any{}
	for {
		name, err := d.start()
		switch {
		case err != nil:
			return nil, err
		case name == "":
			_, err := d.start()
			return out, err
		case name != "value":
			return nil, errXML
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (d *xmlDecoder) members(depth int) (any, error) {
	out := map[string]any{}
	for {
		name, err := d.start()
		if err != nil {
			return nil, err
		}
		if name == "" {
			return out, nil
		}
		if name != "member" {
			return nil, errXML
		}
		if err := d.expect("name"); err != nil {
			return nil, err
		}
		key, err := d.value(maxDepth)
		if err != nil {
			return nil, err
		}
		if err := d.expect("value"); err != nil {
			return nil, err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, err := d.start(); err != nil {
			return nil, err
		}
		text, _ := key.(string)
		out[text] = v
	}
}
