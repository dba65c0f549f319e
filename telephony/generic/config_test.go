package generic_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/telephonytest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	rule := "format: 1\nevents:\n  - kind: call.ended\n    id: id\n"
	for name, tc := range map[string]struct {
		mapping string
		want    []string
	}{
		"none":            {"  ", []string{"There is no mapping."}},
		"too long":        {strings.Repeat("#", 20000), []string{"The mapping has 20000 bytes; 16384 is the most."}},
		"neither":         {"a: b: c", []string{"This is neither YAML nor JSON: mapping values are not allowed in this context."}},
		"two documents":   {"format: 1\n---\nformat: 1", []string{"This is neither YAML nor JSON: it holds more than one document."}},
		"a text":          {"hello", []string{"Line 1: Here must be a group of names and values."}},
		"no rules":        {"format: 1", []string{"Line 1: There are no rules: give some under events, messages or forms."}},
		"no format":       {"events:\n  - {kind: call.ended, id: id}", []string{"Line 1, format: The format is missing; it is 1."}},
		"format":          {"format: 2\nevents:\n  - {kind: call.ended, id: id}", []string{"Line 1, format: The format must be 1."}},
		"unknown list":    {"format: 1\nevent:\n  - {}", []string{"Line 2, event: This is not known here; there are events, format, forms, messages, note. Did you mean events?"}},
		"no list":         {"format: 1\nevents: {}", []string{"Line 2, events: Here must be a list of rules."}},
		"no kind, no id":  {"format: 1\nevents:\n  - {note: x}", []string{"Line 3, events[0]: The kind is missing; there are", "Line 3, events[0]: The id is missing"}},
		"kind":            {"format: 1\nevents:\n  - {kind: call.endet, id: id}", []string{"Line 3, events[0].kind: This is none of call.ringing"}},
		"kind of another": {"format: 1\nmessages:\n  - {kind: call.ended, id: id}", []string{"Line 3, messages[0].kind: This is none of message.received, message.sent."}},
		"member":          {rule + "    wen: true", []string{"Line 5, events[0].wen: This is not known here", "Did you mean when?"}},
		"no aliases here": {"format: 1\nforms:\n  - {id: id, aliases: {a: b}}", []string{"Line 3, forms[0].aliases: This is not known here"}},
		"field":           {rule + "    fields: {customer.nmae: a}", []string{"Line 5, events[0].fields.customer.nmae: There is no such field", "Did you mean customer.name?"}},
		"field of a call": {"format: 1\nmessages:\n  - {kind: message.sent, id: id, fields: {talk_seconds: a}}", []string{"messages[0].fields.talk_seconds: There is no such field"}},
		"index":           {rule + "    fields: {'agents[0].nam': a, 'agents[x].name': a, 'tags[0].name': a, 'attributes.': a}", []string{"Did you mean agents[0].name?", "agents[x]", "tags[0]", "attributes."}},
		"twice":           {rule + "    fields:\n      note: a\n      note: b", []string{"Line 7, events[0].fields.note: This is given twice"}},
		"expression":      {rule + "    fields:\n      note: lower(a\n      tags: loer(b)", []string{"Line 6, events[0].fields.note: Character 7: The expression ends too early.", "Line 7, events[0].fields.tags: There is no function loer. Did you mean lower?"}},
		"null":            {rule + "    fields: {note: }", []string{"Line 5, events[0].fields.note: Here must be an expression"}},
		"value":           {rule + "    fields: {note: {constant: 1}, tags: [a]}", []string{"events[0].fields.note: Here must be", "events[0].fields.tags: Here must be"}},
		"path":            {rule + "    fields: {note: {path: a..b}, tags: {path: []}}", []string{"events[0].fields.note: A path is", "events[0].fields.tags: A path is"}},
		"alias to node":   {"format: 1\nevents:\n  - &r {kind: call.ended, id: id}\n  - *r", []string{"Line 4, events[1]: Here must be a group"}},
		"const alias":     {"format: 1\nevents:\n  - {kind: call.ended, id: &i id, fields: {note: {const: [*i]}}}", []string{"The constant cannot be read"}},
		"alias kind":      {rule + "    aliases: {Big Name: a}", []string{"events[0].aliases.Big Name: An alias has a name of small letters"}},
		"asserted":        {rule + "    asserted: [note, tgs]", []string{"events[0].asserted: There is no such field. Did you mean tags?"}},
		"artifact":        {rule + "    outlook: {record: never}", []string{"events[0].outlook.record: There is no such artifact", "Did you mean recording?"}},
		"outlook":         {rule + "    outlook: {recording: nevr}", []string{"events[0].outlook.recording: This is none of never, possible, announced. Did you mean never?"}},
		"JSON":            {"{\"format\":1,\n\"events\":[\n{\"kind\":\"call.ended\",\"id\":\"(\"}]}", []string{"Line 3, events[0].id: The expression ends too early."}},
		"deep JSON":       {`{"format":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, []string{"it is nested too deeply"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := generic.Check(map[string]string{"mapping": tc.mapping})
			var problems telephony.ConfigProblems
			require.ErrorAs(t, err, &problems)
			require.Equal(t, err, generic.New().CheckConfig(map[string]string{"mapping": tc.mapping}))
			for _, want := range tc.want {
				require.Contains(t, err.Error(), want)
			}
			for _, p := range problems {
				require.Equal(t, "mapping", p.Setting)
			}
		})
	}
	var many strings.Builder
	many.WriteString("format: 1\nevents:\n")
	for range 101 {
		many.WriteString("  - {kind: call.ended, id: (}\n")
	}
	var problems telephony.ConfigProblems
	require.ErrorAs(t, generic.Check(map[string]string{"mapping": many.String()}), &problems)
	require.Len(t, problems, 50)
}

func TestCheckOtherSettings(t *testing.T) {
	t.Parallel()
	for setting, values := range map[string][]string{
		"signature_header":           {"X Signature", "a:b", "é"},
		"signature_algorithm":        {"md5", "none"},
		"signature_encoding":         {"base32"},
		"signature_content":          {"{timestamp}", "{body}{body}", "x"},
		"signature_timestamp_header": {"a b"},
		"reply_status":               {"404", "20", "OK", "301"},
		"reply_content_type":         {"json", "text/plain\r\nX: y", ";"},
		"reply_body":                 {"{{ a", "{{ a + }}", strings.Repeat("x", 5000)},
	} {
		for _, value := range values {
			err := generic.Check(map[string]string{"mapping": genericfake.JSONMapping, setting: value})
			var problems telephony.ConfigProblems
			require.ErrorAs(t, err, &problems, "%s=%s", setting, value)
			require.Equal(t, setting, problems[0].Setting)
		}
	}
	require.ErrorContains(t, generic.Check(map[string]string{"mapping": genericfake.JSONMapping, "signature_content": "{timestamp}.{body}"}), "signature_timestamp_header:")
	require.ErrorContains(t, generic.Check(map[string]string{"mapping": genericfake.JSONMapping, "reply_body": "x", "reply_status": "204"}), "has no body")
	require.NoError(t, generic.Check(map[string]string{
		"mapping": genericfake.FormMapping, "signature_content": "v0:{timestamp}:{body}", "signature_timestamp_header": "X-Time",
		"reply_status": "201", "reply_body": "{{ challenge }}", "reply_content_type": "application/json; charset=utf-8", "expect_recording": "true",
	}))
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	p := generic.New()
	body := genericfake.JSONCall(talk(), "ring")
	const key = "K1-signing-key"
	mac := func(h func() hash.Hash, content string) []byte {
		m := hmac.New(h, []byte(key))
		m.Write([]byte(content))
		return m.Sum(nil)
	}
	stamped := "1772366400." + string(body)
	for name, tc := range map[string]struct {
		config map[string]string
		header http.Header
	}{
		"by default":             {nil, http.Header{"X-Signature": {hex.EncodeToString(mac(sha256.New, string(body)))}}},
		"capitals":               {nil, http.Header{"X-Signature": {strings.ToUpper(hex.EncodeToString(mac(sha256.New, string(body))))}}},
		"the fake's":             {nil, http.Header{"X-Signature": {genericfake.Sign(key, body)}}},
		"sha1, base64":           {map[string]string{"signature_algorithm": "sha1", "signature_encoding": "base64", "signature_header": "signature"}, http.Header{"Signature": {base64.StdEncoding.EncodeToString(mac(sha1.New, string(body)))}}},
		"sha512, base64 of URLs": {map[string]string{"signature_algorithm": "sha512", "signature_encoding": "base64"}, http.Header{"X-Signature": {base64.RawURLEncoding.EncodeToString(mac(sha512.New, string(body)))}}},
		"with a prefix":          {map[string]string{"signature_prefix": "sha256="}, http.Header{"X-Signature": {"sha256=" + hex.EncodeToString(mac(sha256.New, string(body)))}}},
		"with a timestamp": {map[string]string{"signature_content": "{timestamp}.{body}", "signature_timestamp_header": "X-Time"},
			http.Header{"X-Signature": {hex.EncodeToString(mac(sha256.New, stamped))}, "X-Time": {"1772366400"}}},
		"with the query": {map[string]string{"signature_content": "{query}\u2028{x}{body}"}, http.Header{"X-Signature": {hex.EncodeToString(mac(sha256.New, "a=1\u2028{x}"+string(body)))}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := telephony.Settings{Config: tc.config, Secrets: map[string]string{"signing_key": key + "\n"}}
			r := telephonytest.Post(t, "", string(body))
			r.RawQuery, r.Header = "a=1", tc.header
			require.True(t, p.Signs(s))
			require.NoError(t, p.Verify(r, s))
			refused := func(r telephony.Request) {
				err := p.Verify(r, s)
				require.ErrorIs(t, err, telephony.ErrSignature)
				require.NotContains(t, err.Error(), key)
			}
			other := r
			other.Body = append([]byte(" "), body...)
			refused(other)
			for name := range tc.header {
				for _, wrong := range []string{"", "x", tc.header.Get(name)[:len(tc.header.Get(name))-2], tc.header.Get(name) + "00"} {
					other = r
					other.Header = tc.header.Clone()
					other.Header.Set(name, wrong)
					refused(other)
				}
			}
			other = r
			other.Header = nil
			refused(other)
			// Every method is checked: a GET brings calls as well.
			other.Method = http.MethodGet
			refused(other)
		})
	}
	r := telephonytest.Post(t, "", string(body))
	r.Header.Set("X-Signature", hex.EncodeToString(mac(sha256.New, string(body))))
	require.ErrorIs(t, p.Verify(r, telephony.Settings{Config: map[string]string{"signature_algorithm": "md5"}, Secrets: map[string]string{"signing_key": key}}), telephony.ErrSignature,
		"a rule that makes no sense lets nothing pass")
	require.False(t, p.Signs(telephony.Settings{Secrets: map[string]string{"signing_key": "  "}}))
	require.NoError(t, p.Verify(r, telephony.Settings{}))
}

// Where only the body is signed, the query is anybody's.
func TestUnsignedQueryIsNotRead(t *testing.T) {
	t.Parallel()
	p := generic.New()
	s := *settings(head + "    fields: {note: request.query.note}\n")
	r := telephonytest.Post(t, "", "")
	r.Method, r.RawQuery = http.MethodGet, "id=1&note=n"
	d, err := p.Decode(r, s)
	require.NoError(t, err)
	require.Equal(t, "n", d.Events[0].Facts.Note)
	r.RawQuery = "token=T0ken?id=1&note=n&mood=fine"
	d, err = p.Decode(r, s)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"mood": "fine"}, d.Events[0].Facts.Attributes, "a secret in the URL is no fact")
	r.RawQuery = "id=1&note=n"

	s.Secrets = map[string]string{"signing_key": "k"}
	d, err = p.Decode(r, s)
	require.NoError(t, err)
	require.Equal(t, "The request is empty.", d.Ignored)
	r.Body = []byte(`{"id":"1"}`)
	d, err = p.Decode(r, s)
	require.NoError(t, err)
	require.Empty(t, d.Events[0].Facts.Note)

	s.Config["signature_content"] = "{query}.{body}"
	d, err = p.Decode(r, s)
	require.NoError(t, err)
	require.Equal(t, "n", d.Events[0].Facts.Note)
}

func TestReply(t *testing.T) {
	t.Parallel()
	p := generic.New()
	r := telephonytest.Post(t, "", `{"challenge":"<b>\"a\"\u0007","n":5,"long":"`+strings.Repeat("x", 2000)+`","o":{}}`)
	for i, tc := range []struct {
		status, kind, body string
		want               telephony.Reply
	}{
		{"", "", "", telephony.Reply{Status: 200}},
		{"201", "", "", telephony.Reply{Status: 201}},
		{"404", "nonsense", "{{", telephony.Reply{Status: 200, ContentType: "text/plain; charset=utf-8"}},
		{"", "", "OK", telephony.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "OK"}},
		{"", "text/xml", "<Response/>", telephony.Reply{Status: 200, ContentType: "text/xml", Body: "<Response/>"}},
		{"", "text/xml", "<a>{{challenge}}</a>", telephony.Reply{Status: 200, ContentType: "text/xml", Body: "<a>&lt;b&gt;&#34;a&#34;</a>"}},
		{"", "application/json", `{"c":"{{ challenge }}","n":{{ n }}}`, telephony.Reply{Status: 200, ContentType: "application/json", Body: `{"c":"\u003cb\u003e\"a\"","n":5}`}},
		{"", "text/plain", `{{ challenge }}{{ long }}{{ o }}{{ n > "x" }}.`, telephony.Reply{Status: 200, ContentType: "text/plain", Body: `<b>"a".`}},
	} {
		s := telephony.Settings{Config: map[string]string{"reply_status": tc.status, "reply_content_type": tc.kind, "reply_body": tc.body}}
		require.Equal(t, tc.want, telephony.ReplyTo(p, r, s), i)
	}
	broken := telephonytest.Post(t, "", `{`)
	require.Equal(t, "", p.ReplyWith(broken, telephony.Settings{Config: map[string]string{"reply_body": "{{ challenge }}"}}).Body)
}

// What is compiled is kept by its text, and only as much as is useful.
func TestManyMappings(t *testing.T) {
	t.Parallel()
	p := generic.New()
	for i := range 1200 {
		doc := fmt.Sprintf("%s    fields: {note: '\"%d\"'}\n", head, i)
		for range 2 {
			d, err := p.Decode(telephonytest.Post(t, "", `{"id":"1"}`), *settings(doc))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), d.Events[0].Facts.Note)
		}
	}
}
