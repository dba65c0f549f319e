package phone

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callerdesk/callerdeskfake"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/callrail/callrailfake"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/deepcall/deepcallfake"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/smartflo/smartflofake"
	"github.com/callsync/callsync/telephony/xarios"
	"github.com/callsync/callsync/telephony/xarios/xariosfake"
)

// Call is a call, whatever phone system it goes through.
type Call struct {
	StartedAt  time.Time
	Ring, Talk time.Duration
	// Customer is E.164; CustomerName is sent by those that know names.
	Customer, CustomerName string
	Outbound, Answered     bool
	// Recorded calls have a recording. Recordings come with the report, except where the phone system has them late.
	Recorded bool
	// AgentEmail is sent by those that know it.
	AgentEmail string
	// Disposition, Note and Tags are sent late, by those that have them.
	Disposition, Note string
	Tags              []string
	// Other asks for the other one of the encodings that the phone system has.
	Other bool
}

// Life is a call as one phone system tells of it.
type Life struct {
	// ID is the phone system's id of the call, and Business the number of ours, in E.164.
	ID, Business string
	// Early are sent while it rings and while people talk, Report when it is over, Late afterwards: a recording, a
	// disposition, what people change.
	Early, Report, Late []Webhook
}

// Providers are the kinds of phone systems that there are, in the order of the demo.
var Providers = []string{callrail.ID, smartflo.ID, callerdesk.ID, xarios.ID, deepcall.ID, generic.ID}

// LifeOf is a call through a kind of phone system. secret is its line's: some carry it in the request. It panics on an
// unknown kind, which is a programming error.
func LifeOf(provider string, c Call, secret string) Life {
	make, ok := map[string]func(Call, string) Life{
		callrail.ID: callrailLife, smartflo.ID: smartfloLife, callerdesk.ID: callerdeskLife, xarios.ID: xariosLife,
		deepcall.ID: deepcallLife, generic.ID: genericLife,
	}[provider]
	if !ok {
		panic("phone: no phone system " + provider)
	}
	return make(c, secret)
}

func callrailLife(c Call, _ string) Life {
	f := callrailfake.Call{
		ID: callrailfake.NewID("CAL"), StartedAt: c.StartedAt, Duration: c.Ring + c.Talk, Customer: c.Customer, CustomerName: c.CustomerName,
		Answered: c.Answered, AgentEmail: c.AgentEmail,
	}
	out := Life{ID: f.ID, Business: "+14155550186"}
	if c.Outbound {
		f.Direction = "outbound"
		f.Recording = c.Recorded
		out.Report = []Webhook{{Name: "Outbound Post-Call", Event: callrail.EventOutboundPostCall, Body: callrailfake.OutboundPostCall(f)}}
		return out
	}
	out.Early = []Webhook{
		{Name: "Pre-Call", Event: callrail.EventPreCall, Body: callrailfake.PreCall(f)},
		{Name: "Call Routing Complete", Event: callrail.EventRoutingComplete, Body: callrailfake.RoutingComplete(f)},
	}
	out.Report = []Webhook{{Name: "Post-Call", Event: callrail.EventPostCall, Body: callrailfake.PostCall(f)}}
	changes := []string{}
	if c.Recorded {
		f.Recording = true
		changes = append(changes, "recording_duration")
	}
	if c.Note != "" || len(c.Tags) > 0 {
		f.Note, f.Tags = c.Note, c.Tags
		changes = append(changes, "tags", "note")
	}
	if len(changes) > 0 {
		out.Late = []Webhook{{Name: "Call Modified", Event: callrail.EventCallModified, Body: callrailfake.Modified(f, changes...)}}
	}
	return out
}

// smartfloLife sends its triggers in turn by each of the encodings that the panel has. Calls that are Other go through the
// dialer, whose agents set dispositions.
func smartfloLife(c Call, _ string) Life {
	n := number(1_000_000)
	f := smartflofake.Call{
		ID: fmt.Sprintf("DEMO-%d.%06d", c.StartedAt.Unix(), n), UUID: fmt.Sprintf("%08x%05x", c.StartedAt.Unix(), n), Direction: smartflofake.Inbound,
		Customer: c.Customer, StartedAt: c.StartedAt, Ring: c.Ring, Talk: c.Talk, Answered: c.Answered, Recording: c.Recorded, Digits: []string{"2"},
		Agent: smartflofake.Agent{ID: "0504410020071", Name: "Meera Nair", Email: c.AgentEmail, Number: "+919000043210"},
	}
	switch {
	case c.Other && c.Outbound:
		f.Direction = smartflofake.DialerOutbound
	case c.Other:
		f.Direction = smartflofake.DialerInbound
	case c.Outbound:
		f.Direction = smartflofake.ClickToCall
	}
	hook := func(name, event, encoding string) Webhook {
		w := Webhook{Name: name, Event: event}
		payload := smartflofake.Payload(event, f)
		switch encoding {
		case "json":
			w.Body = smartflofake.JSON(payload)
		case "form":
			w.ContentType, w.Body = "application/x-www-form-urlencoded", []byte(smartflofake.Form(payload).Encode())
		case "texts":
			w.ContentType, w.Body = "application/x-www-form-urlencoded", []byte(smartflofake.Texts(payload).Encode())
		case "multipart":
			w.ContentType, w.Body = smartflofake.Multipart(smartflofake.Form(payload))
		case "query":
			w.Method, w.Query = http.MethodGet, smartflofake.Form(payload).Encode()
		}
		return w
	}
	out := Life{ID: f.ID, Business: "+918045671200"}
	switch {
	case c.Other:
		out.Early = []Webhook{hook("Call Connected to Agent (Dialer)", "dialer-connected", "json")}
	case c.Outbound:
		if c.Answered {
			out.Early = []Webhook{hook("Call answered by Customer (Click to Call)", "customer-answered", "json")}
		}
	default:
		out.Early = []Webhook{
			hook("Call received on Server", "call-received", "json"), hook("Call answered on IVR", "answered-on-ivr", "form"),
			hook("DTMF Option", "dtmf", "query"), hook("Call received on Department", "received-on-department", "texts"),
			hook("Dialed on Agent", "dialed-on-agent", "multipart"),
		}
		if c.Answered {
			out.Early = append(out.Early, hook("Call answered by Agent", "answered-by-agent", "json"))
		}
	}
	encoding := "json"
	if c.Other {
		encoding = "form"
	}
	out.Report = []Webhook{hook("Call hangup", "hangup", encoding)}
	if c.Other && c.Disposition != "" {
		f.Disposition, f.SubDisposition = c.Disposition, "Demo"
		out.Late = []Webhook{hook("Disposition Status Updated (Dialer)", "dialer-disposition", "json")}
	}
	return out
}

// callerdeskLife sends JSON by POST or, if it is Other, queries by GET.
func callerdeskLife(c Call, _ string) Life {
	f := callerdeskfake.Call{
		ID: callerdeskfake.NewID(c.StartedAt, c.Outbound), Outgoing: c.Outbound, StartedAt: c.StartedAt, Duration: c.Ring + c.Talk, Talk: c.Talk,
		Customer: "0" + strings.TrimPrefix(c.Customer, "+91"), Group: "Sales", Answered: c.Answered, AgentPicked: true, Recording: c.Recorded,
	}
	if c.Outbound {
		f.CampID = fmt.Sprint(8_000_000 + number(1_000_000))
	}
	live := func(word string) Webhook {
		if c.Other {
			return Webhook{Name: "Live call", Method: http.MethodGet, Query: callerdeskfake.LiveQuery(f, word)}
		}
		return Webhook{Name: "Live call", Body: callerdeskfake.Live(f, word)}
	}
	out := Life{ID: f.ID, Business: "+911204501234", Early: []Webhook{live("Transfer to agent")}}
	if c.Answered {
		out.Early = append(out.Early, live("Picked"))
	}
	out.Report = []Webhook{{Name: "Call report", Body: callerdeskfake.Report(f)}}
	if c.Other {
		out.Report = []Webhook{{Name: "Call report", Method: http.MethodGet, Query: callerdeskfake.ReportQuery(f)}}
	}
	return out
}

// xariosLife sends JSON or, if it is Other, a form. Its one report is all there is.
func xariosLife(c Call, secret string) Life {
	f := xariosfake.Call{
		ID: xariosfake.NewID(), StartedAt: c.StartedAt, Duration: c.Ring + c.Talk, Ring: c.Ring, Answered: c.Answered, Customer: c.Customer,
		CustomerName: c.CustomerName, Group: "Sales",
	}
	if c.Answered {
		f.Talk = c.Talk
	}
	if c.Outbound {
		f.Dir = xariosfake.DirOutgoing
	}
	if c.Recorded {
		f.Recordings = []string{xariosfake.NewID()}
	}
	if len(c.Tags) > 0 {
		f.Tags = map[string]string{"Demo": c.Tags[0]}
	}
	if secret != "" {
		f.Custom = map[string]string{"token": secret}
	}
	w := Webhook{Name: "Call session ended", Body: xariosfake.JSON(f)}
	if c.Other {
		w.ContentType, w.Body = "application/x-www-form-urlencoded", []byte(xariosfake.Form(f, xariosfake.Brackets))
	}
	return Life{ID: f.ID, Business: "+441632960100", Report: []Webhook{w}}
}

// deepcallLife sends the form push_report or, if it is Other, JSON. Its one report is all there is.
func deepcallLife(c Call, _ string) Life {
	f := deepcallfake.Call{
		ID: deepcallfake.NewID(), StartedAt: c.StartedAt, Ring: c.Ring, Talk: c.Talk, Customer: strings.TrimPrefix(c.Customer, "+"), Recording: c.Recorded,
	}
	if c.Outbound {
		f.Type = deepcallfake.QuickCall
	}
	if !c.Answered {
		f.Status = 4 // the customer came through, and no agent answered
		if c.Outbound {
			f.Status = 8 // the customer did not answer
		}
	}
	if c.Disposition != "" {
		f.Disposition = []string{c.Disposition}
	}
	if c.CustomerName != "" {
		f.Contact = map[string]any{"name": c.CustomerName}
	}
	report := deepcallfake.Report(f)
	w := Webhook{Name: "Push report", ContentType: "application/x-www-form-urlencoded", Body: deepcallfake.Form(report)}
	if c.Other {
		w.ContentType, w.Body = "", deepcallfake.JSON(report)
	}
	out := Life{ID: f.ID, Business: "+917935000186", Report: []Webhook{w}}
	if c.Outbound {
		out.Business = "+917935000187" // the number that customers see
	}
	return out
}

// genericLife is that of the JSON phone system of the generic provider's guide: the recording is announced by the report and
// comes with another one; what people change comes as an update.
func genericLife(c Call, _ string) Life {
	f := genericfake.Call{
		ID: fmt.Sprintf("pbx-%d-%06d", c.StartedAt.Unix(), number(1_000_000)), Outbound: c.Outbound, Customer: c.Customer, CustomerName: c.CustomerName,
		StartedAt: c.StartedAt, Ring: c.Ring, Talk: c.Talk, Answered: c.Answered, AgentEmail: c.AgentEmail, Queue: "Sales", Recorded: c.Recorded,
	}
	hook := func(name, event string, changed ...string) Webhook {
		return Webhook{Name: name, Event: event, Body: genericfake.JSONCall(f, event, changed...)}
	}
	out := Life{ID: f.ID, Business: "+14155550186", Early: []Webhook{hook("ring", "ring")}}
	if c.Answered {
		out.Early = append(out.Early, hook("answer", "answer"))
	}
	out.Report = []Webhook{hook("hangup", "hangup")}
	if c.Recorded {
		f.RecordingID, f.RecordingURL = "r-"+f.ID, "https://pbx.example/recordings/"+url.PathEscape(f.ID)+".mp3"
		out.Late = append(out.Late, hook("hangup, with the recording", "hangup"))
	}
	if c.Note != "" || len(c.Tags) > 0 || c.Disposition != "" {
		f.Note, f.Tags, f.Disposition = c.Note, c.Tags, c.Disposition
		out.Late = append(out.Late, hook("update", "update", "notes", "labels", "outcome"))
	}
	return out
}

// number is a random number below n.
func number(n int64) int64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic("phone: " + err.Error()) // The system's source of randomness does not fail.
	}
	return v.Int64()
}
