// Package xariosfake makes the webhooks that Xarios Dimensions sends, for fake phones and tests: the same fields in the
// same forms as the vendor's own, zeros and blanks left out.
package xariosfake

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// NewID makes a GUID.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// The directions and types of calls.
const (
	DirUnknown, DirInternal, DirIncoming, DirOutgoing, DirBoth = 0, 1, 2, 3, 4
	TypeUnknown, TypeInternal, TypeExternal                    = 0, 1, 2
)

// Contact is one match of the directory.
type Contact struct{ Name, Company, Email, Phone, CRMID string }

// Person is one of our people: an extension and a name.
type Person struct{ Ext, Name string }

// Call is a call to send the webhook of. Zero members get the values of an ordinary call.
type Call struct {
	// ID is the session's; make one with NewID.
	ID string
	// Dir and Type are DirIncoming and TypeExternal unless set; DirUnknown cannot be asked for.
	Dir, Type int
	StartedAt time.Time
	// Zone is an IANA name, Europe/London by default.
	Zone                       string
	Duration, Ring, Talk, Hold time.Duration
	Answered                   bool
	// Cause is FreeSWITCH's; NORMAL_CLEARING by default.
	Cause string
	// Customer and DID are E.164.
	Customer, CustomerName, DID string
	// First rang first; Answerer and Last answered first and last.
	First, Answerer, Last Person
	Group                 string
	Recordings            []string
	Contacts              []Contact
	Tags                  map[string]string
	// Cost is decimal text.
	Cost string
	// Custom is the additional payload data of the trigger.
	Custom map[string]string
	// Trigger and Tenant are GUIDs.
	Trigger, Tenant string
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

type object map[string]any

func (o object) set(name string, v any) {
	switch v := v.(type) {
	case string:
		if v == "" {
			return
		}
	case int:
		if v == 0 {
			return
		}
	}
	o[name] = v
}

func (o object) person(place string, p Person) {
	for _, kind := range []string{"Usr", "Agt"} {
		o.set(place+kind+"Num", p.Ext)
		o.set(place+kind+"Name", p.Name)
	}
	if p.Name != "" {
		o.set(place+"DevNum", "user_"+p.Ext+"f0c4")
		o.set(place+"DevName", "(T42S) "+p.Name)
	}
}

func (c Call) payload() object {
	zone := or(c.Zone, "Europe/London")
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	stamp := func(t time.Time) string { return t.In(loc).Format("2006-01-02T15:04:05-07:00") }
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	cdr := object{
		"id": c.ID, "dType": "CloudSessionCdr", "sVer": 1, "pbxId": "5d0a8a7e-8a5e-4c35-9d3a-3e1f0e8f1c11", "pbxName": "Example - Main",
		"tz": zone, "start": stamp(c.StartedAt), "end": stamp(c.StartedAt.Add(c.Duration)), "cause": or(c.Cause, "NORMAL_CLEARING"),
		"dir": or(c.Dir, DirIncoming), "type": or(c.Type, TypeExternal),
	}
	cdr.set("dur", seconds(c.Duration))
	cdr.set("ring", seconds(c.Ring))
	cdr.set("talk", seconds(c.Talk))
	cdr.set("hold", seconds(c.Hold))
	if c.Answered {
		cdr["ans"], cdr["answer"] = 1, stamp(c.StartedAt.Add(c.Ring))
		answerer := or(c.Answerer, Person{"302", "Tess Example"})
		cdr.person("ans", answerer)
		cdr.person("lAns", or(c.Last, answerer))
	} else {
		cdr["lost"] = 1
	}
	if cdr["type"] != TypeInternal {
		cdr.set("cliNum", or(c.Customer, "+441632960001"))
		cdr.set("cliName", c.CustomerName)
		cdr["cliLoc"], cdr["cliCtry"] = "United Kingdom", "GB"
		cdr.set("ddiNum", or(c.DID, "+441632960100"))
	}
	first := or(c.First, or(c.Answerer, Person{"302", "Tess Example"}))
	cdr.person("fRng", first)
	cdr.person("lRng", or(c.Last, or(c.Answerer, first)))
	cdr.set("fRngGroupName", c.Group)
	cdr.set("lRngGroupName", c.Group)
	if c.Answered {
		cdr.set("ansGroupName", c.Group)
	}
	if len(c.Recordings) > 0 {
		cdr["hasRec"], cdr["recordingIds"] = 1, c.Recordings
	}
	if c.Cost != "" {
		cdr["rate"], cdr["rateCost"], cdr["rateBand"], cdr["rateName"] = 1, json.Number(c.Cost), "National", "Standard"
	}
	var matches []any
	for i, m := range c.Contacts {
		in := object{"fullName": m.Name, "field1": "from the directory"}
		in.set("companyName", m.Company)
		in.set("email", m.Email)
		in.set("phone1", m.Phone)
		in.set("crmId", m.CRMID)
		matches = append(matches, object{
			"dirName": "My Global", "dirId": "8b7c0f53-0a35-43b0-8b3c-8f0c8c7d7a01", "dirType": "DirectoryContactMatch", "contactId": fmt.Sprintf("c0ffee00-0000-4000-8000-%012d", i), "fields": in,
		})
	}
	if matches != nil {
		cdr["directoryMatches"] = matches
	}
	if len(c.Tags) > 0 {
		cdr["tags"] = c.Tags
	}
	out := object{
		"triggerId": or(c.Trigger, "7b1d1f5c-2c7b-4b0f-9a7e-0d5f6f6b1a01"), "id": or(c.Tenant, "2f9f3f0e-7a55-4f5e-8f27-6b8f4b3f1b02"),
		"tenantId": or(c.Tenant, "2f9f3f0e-7a55-4f5e-8f27-6b8f4b3f1b02"), "cdr": cdr,
	}
	if len(c.Custom) > 0 {
		out["customData"] = c.Custom
	}
	return out
}

// JSON is the webhook as JSON, for POST and PUT. Plus signs are escaped as the vendor's serializer does.
func JSON(c Call) []byte {
	doc, err := json.Marshal(c.payload())
	if err != nil {
		panic("xariosfake: " + err.Error()) // Only plain values are in it.
	}
	return bytes.ReplaceAll(doc, []byte("+"), []byte(`\u002B`))
}

// A Style is a way to flatten the webhook into a form. The vendor does not say which it uses.
type Style string

// The styles: cdr.id and directoryMatches[0]; cdr[id]; cdr as JSON in a text; the call data's own names, bare.
const (
	Dots     Style = "dots"
	Brackets Style = "brackets"
	Text     Style = "text"
	Bare     Style = "bare"
)

type pair struct{ name, value string }

// Form is the webhook urlencoded, for a body or a query.
func Form(c Call, style Style) string {
	var b strings.Builder
	for i, p := range c.flat(style) {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value))
	}
	return b.String()
}

// Multipart is the webhook as multipart/form-data, with its Content-Type.
func Multipart(c Call, style Style) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range c.flat(style) {
		_ = w.WriteField(p.name, p.value) // A buffer takes everything.
	}
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

func (c Call) flat(style Style) []pair {
	doc, _ := json.Marshal(c.payload())
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v map[string]any
	_ = d.Decode(&v)
	var out []pair
	add := func(name string, v any) { flatten(&out, name, v, style) }
	for _, name := range []string{"triggerId", "id", "tenantId"} {
		add(name, v[name])
	}
	cdr, _ := v["cdr"].(map[string]any)
	switch style {
	case Text:
		text, _ := json.Marshal(cdr)
		add("cdr", string(text))
	case Bare:
		for _, k := range keys(cdr) {
			add(k, cdr[k])
		}
	default:
		add("cdr", cdr)
	}
	if custom := v["customData"]; custom != nil {
		add("customData", custom)
	}
	return out
}

func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func flatten(out *[]pair, name string, v any, style Style) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys(v) {
			inner := name + "." + k
			if style == Brackets {
				inner = name + "[" + k + "]"
			}
			flatten(out, inner, v[k], style)
		}
	case []any:
		for i, item := range v {
			flatten(out, name+"["+strconv.Itoa(i)+"]", item, style)
		}
	default:
		*out = append(*out, pair{name, fmt.Sprint(v)})
	}
}
