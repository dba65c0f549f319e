// Package deepcall reads the push reports of DeepCall by Sarv: one report for each call, sent when it is over.
//
// What it relies on is published at https://deepcall.com/api/push-report-webhook and
// https://sarv.com/docs/deepcall-push-report-webhook.php. DeepCall signs nothing, and it sends reports only to URLs that
// answer GODBLESSYOU.
package deepcall

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

// ID is the provider's id.
const ID = "deepcall"

// The settings of a source beside those every provider has.
const (
	// ConfigUserID is the account's user id; reports of another account are quarantined.
	ConfigUserID = "user_id"
	// ConfigRecordingBase is where recordings are: see DefaultRecordingBase.
	ConfigRecordingBase = "recording_base"
)

// blessing is what a URL has to answer to be activated, and to stay so.
const blessing = "GODBLESSYOU"

// Provider reads DeepCall's push reports.
type Provider struct{}

// New returns the provider.
func New() Provider { return Provider{} }

var (
	_ telephony.Provider      = Provider{}
	_ telephony.ConfigChecker = Provider{}
)

// Info describes DeepCall. One URL serves every type of call, because the report says which it is.
func (Provider) Info() telephony.Info {
	usual := call.Expectations{Recording: true}
	return telephony.Info{
		ID:    ID,
		Label: "DeepCall by Sarv",
		Fields: append([]telephony.Field{
			{
				Name: ConfigUserID, Label: "User id",
				Help: "The user id of your DeepCall account, a number of about eight digits. With it a report of another account is held back as unreadable. DeepCall signs nothing, so set it.",
			},
			{
				Name: ConfigRecordingBase, Label: "Address of recordings", Default: DefaultRecordingBase,
				Help: "Reports name the file of a recording but usually not the server, which differs between accounts. {userId} stands for the account's user id, {path} for the file's path, {path*} for the path with * in the place of /. An address without {path} gets the user id and the path appended; \"none\" makes no links.",
			},
		}, telephony.ExpectationFields(usual)...),
		Expects:  usual,
		TimeZone: "Asia/Kolkata",
		Steps:    setupSteps(),
		Triggers: triggers(),
		Setup:    telephony.Setup(setupSteps()),
		Docs:     "https://deepcall.com/api/push-report-webhook",
	}
}

// CheckConfig tells whether the address of recordings is one.
func (Provider) CheckConfig(config map[string]string) error {
	base := strings.TrimSpace(config[ConfigRecordingBase])
	if base == "" || strings.EqualFold(base, noBase) || isURL(strings.NewReplacer("{userId}", "1", "{path}", "/a", "{path*}", "*a").Replace(base)) {
		return nil
	}
	return telephony.ConfigProblems{{Setting: ConfigRecordingBase, Text: `This is no address. It begins with https://; "none" makes no links.`}}
}

// Signs is false: DeepCall publishes no signature, secret or header. The token in the URL is all there is.
func (Provider) Signs(telephony.Settings) bool { return false }

// Verify has nothing to check.
func (Provider) Verify(telephony.Request, telephony.Settings) error { return nil }

// Reply is the blessing, whatever was asked: the check before the activation, reports, repeated ones and nonsense alike.
// A HEAD has no body.
func (Provider) Reply(r telephony.Request) telephony.Reply {
	reply := telephony.Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: blessing}
	if r.Method == http.MethodHead {
		reply.Body = ""
	}
	return reply
}

// Decode reads one request: one report, or a list of them.
func (Provider) Decode(r telephony.Request, s telephony.Settings) (telephony.Decoded, error) {
	if r.Method == http.MethodHead {
		return telephony.Decoded{Ignored: "A HEAD request is a look at the URL."}, nil
	}
	reports, err := readReports(r)
	if err != nil {
		return telephony.Decoded{}, err
	}
	var out telephony.Decoded
	for _, report := range reports {
		f := telephony.NewFields(report)
		id := f.Text(fieldCallID)
		switch {
		case id == "" && f.Has(callFields...):
			return telephony.Decoded{}, &telephony.UnreadableError{
				Where:  "field callId",
				Public: "The report speaks of a call but does not say which: it has no callId. Add callId to the template of the webhook in the DeepCall panel.",
				Err:    errors.New("no callId"),
			}
		case id == "":
			continue
		}
		d := &decoder{f: f, settings: s}
		if err := d.checkAccount(); err != nil {
			return telephony.Decoded{}, err
		}
		e := d.event(id)
		e.Seq = len(out.Events)
		out.Events = append(out.Events, e)
		if len(out.Unknown) == 0 {
			// The reports of one request have the same fields.
			out.Unknown = f.Unknown(vocabulary)
		}
	}
	if len(out.Events) == 0 {
		out.Ignored = whyIgnored(r, reports)
	}
	return out, nil
}

func whyIgnored(r telephony.Request, reports []map[string]any) string {
	switch {
	case len(reports) > 0 && len(reports[0]) > 0:
		return "The request is about no call: it has no callId."
	case len(strings.TrimSpace(string(r.Body))) == 0:
		return "The request is empty. DeepCall looks at a URL this way before it activates the webhook."
	}
	return "The report is empty, or all that is in it are placeholders ({{%%name%%}}) that DeepCall did not fill in. Check the template of the webhook in the DeepCall panel."
}

// checkAccount compares the report's account with the configured one. A report that names none passes: templates may
// leave it out.
func (d *decoder) checkAccount() error {
	want := strings.TrimSpace(d.settings.Config[ConfigUserID])
	got := d.account()
	if want == "" || got == "" || got == want {
		return nil
	}
	return &telephony.UnreadableError{
		Where:  "field userId",
		Public: "The report is of another DeepCall account than the source's. If the user id in the source's settings is wrong, put it right and replay this request; if not, somebody else sends to this URL: rotate its token.",
		Err:    fmt.Errorf("userId is not the configured %s", ConfigUserID),
	}
}

// account is the report's user id.
func (d *decoder) account() string {
	if id := d.peek("userid"); id != "" {
		return id
	}
	return textIn(d.f.Peek(fieldAPI), "userid")
}
