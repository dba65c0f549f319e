package odoofake

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
)

type xmlValue struct {
	Text   string     `xml:",chardata"`
	String *string    `xml:"string"`
	Int    *string    `xml:"int"`
	Bool   *string    `xml:"boolean"`
	Double *string    `xml:"double"`
	Nil    *struct{}  `xml:"nil"`
	Array  *xmlArray  `xml:"array"`
	Struct *xmlStruct `xml:"struct"`
}

type xmlArray struct {
	Values []xmlValue `xml:"data>value"`
}

type xmlStruct struct {
	Members []struct {
		Name  string   `xml:"name"`
		Value xmlValue `xml:"value"`
	} `xml:"member"`
}

func (v xmlValue) decode() (any, error) {
	switch {
	case v.String != nil:
		return *v.String, nil
	case v.Int != nil:
		return strconv.ParseInt(*v.Int, 10, 32)
	case v.Bool != nil:
		return *v.Bool == "1", nil
	case v.Double != nil:
		return strconv.ParseFloat(*v.Double, 64)
	case v.Array != nil:
		out := []any{}
		for _, x := range v.Array.Values {
			d, err := x.decode()
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
		return out, nil
	case v.Struct != nil:
		out := map[string]any{}
		for _, m := range v.Struct.Members {
			d, err := m.Value.decode()
			if err != nil {
				return nil, err
			}
			out[m.Name] = d
		}
		return out, nil
	case v.Nil != nil:
		return nil, fmt.Errorf("nil is no part of XML-RPC")
	}
	return v.Text, nil
}

// xmlCodes are the codes of faults at /xmlrpc/2.
var xmlCodes = map[string]int64{"odoo.exceptions.UserError": 2, "odoo.exceptions.ValidationError": 2, "odoo.exceptions.MissingError": 2, "odoo.exceptions.AccessDenied": 3, "odoo.exceptions.AccessError": 4}

func (f *Fake) xmlrpc(a *answer, service string, body []byte) {
	var in struct {
		XMLName xml.Name   `xml:"methodCall"`
		Method  string     `xml:"methodName"`
		Params  []xmlValue `xml:"params>param>value"`
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		a.html(http.StatusInternalServerError, "<html>500</html>")
		return
	}
	args := []any{}
	for _, p := range in.Params {
		v, err := p.decode()
		if err != nil {
			a.html(http.StatusInternalServerError, "<html>500</html>")
			return
		}
		args = append(args, v)
	}
	out, err := f.dispatch(service, in.Method, args)
	a.header.Set("Content-Type", "text/xml; charset=utf-8")
	a.body.WriteString("<?xml version='1.0'?>\n<methodResponse>\n")
	if err == nil {
		a.body.WriteString("<params>\n<param>\n<value>")
		encodeXML(&a.body, out)
		a.body.WriteString("</value>\n</param>\n</params>")
	} else {
		e := asFault(err)
		code, ok := xmlCodes[e.name]
		text := e.message
		if !ok {
			// What is no exception of Odoo's own comes as a traceback.
			code, text = 1, "Traceback (most recent call last):\n  File \"/odoo/http.py\", line 1, in dispatch\n    result = request.dispatch()\n"+shortName(e.name)+": "+e.message+"\n"
		}
		a.body.WriteString("<fault>\n<value>")
		encodeXML(&a.body, map[string]any{"faultCode": code, "faultString": text})
		a.body.WriteString("</value>\n</fault>")
	}
	a.body.WriteString("\n</methodResponse>\n")
}

// shortName is a Python exception as a traceback names it.
func shortName(name string) string {
	const builtin = "builtins."
	if len(name) > len(builtin) && name[:len(builtin)] == builtin {
		return name[len(builtin):]
	}
	return name
}

func encodeXML(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case bool:
		b.WriteString("<boolean>" + map[bool]string{true: "1", false: "0"}[v] + "</boolean>")
	case int64:
		b.WriteString("<int>" + strconv.FormatInt(v, 10) + "</int>")
	case float64:
		b.WriteString("<double>" + strconv.FormatFloat(v, 'g', -1, 64) + "</double>")
	case string:
		b.WriteString("<string>")
		_ = xml.EscapeText(b, []byte(v))
		b.WriteString("</string>")
	case []any:
		b.WriteString("<array><data>\n")
		for _, x := range v {
			b.WriteString("<value>")
			encodeXML(b, x)
			b.WriteString("</value>\n")
		}
		b.WriteString("</data></array>")
	case []int64:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = x
		}
		encodeXML(b, list)
	case map[string]any:
		b.WriteString("<struct>\n")
		for name, x := range v {
			b.WriteString("<member>\n<name>")
			_ = xml.EscapeText(b, []byte(name))
			b.WriteString("</name>\n<value>")
			encodeXML(b, x)
			b.WriteString("</value>\n</member>\n")
		}
		b.WriteString("</struct>")
	}
}
