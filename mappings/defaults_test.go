package mappings

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/callsync/callsync/call"
)

var update = flag.Bool("update", false, "write the golden files")

// realisticCalls are what the default documents must make something good of.
func realisticCalls() map[string]Input {
	at := time.Date(2026, 11, 21, 10, 3, 5, 0, time.UTC)
	base := func(change func(in *Input)) Input {
		in := Input{
			Call: call.Call{ID: "call-1", Provider: "callrail", Phase: call.Ended, Facts: call.Facts{
				Direction: call.Inbound, Status: call.Missed, StartedAt: at, EndedAt: at.Add(31 * time.Second),
				Customer: call.Party{Number: "+14155550101", RawNumber: "(415) 555-0101"}, BusinessNumber: "+13035550100",
				DurationSeconds: ptr(int64(31)),
			}},
			Dispositions: []Option{{"f240bbac-87c9-4f6e-bf70-924b57d47db7", "Connected"}, {"73a0d17f-1163-4015-bdd5-ec830791da20", "No answer"}},
			CallURL:      "https://sync.example/calls/call-1", Location: time.UTC,
		}
		change(&in)
		return in
	}
	return map[string]Input{
		"answered_inbound": answeredInbound(),
		"missed":           base(func(*Input) {}),
		"voicemail": base(func(in *Input) {
			in.Call.Status = call.Voicemail
			in.Call.Customer.Name = "WIRELESS CALLER"
			in.Call.Recordings = []call.Recording{{ID: "R1", URL: "https://phone.example/rec/1.mp3", State: call.RecordingAvailable}}
			in.Call.Transcription.Text = "Please call me back."
		}),
		"outbound": base(func(in *Input) {
			in.Call.Direction, in.Call.Status = call.Outbound, call.Answered
			in.Call.Customer.Name = "Smith, Mary"
			in.Call.TalkSeconds = ptr(int64(0))
			in.Call.Agents = []call.Agent{{Email: "ann@example.com", Status: call.AgentAnswered}}
			in.Call.Disposition.Value = "no  ANSWER"
			in.OwnerID = "77"
		}),
		"internal": base(func(in *Input) {
			in.Call.Direction = call.Internal
			in.Call.BusinessNumber = ""
			in.Call.Agents = []call.Agent{{Extension: "101", Number: "101"}}
		}),
		"live_without_facts": {Call: call.Call{ID: "call-2", Provider: "smartflo", Phase: call.Live, Facts: call.Facts{Status: call.Ringing}}},
		"unicode": base(func(in *Input) {
			in.Call.Status = call.Answered
			in.Call.Customer.Name = "Zażółć Gęślą 👩‍👩‍👧 नमस्ते"
			in.Call.Note = "naïve \u202e reversed \u0000 NUL \xff bad"
			in.Call.Tags = []string{"ü", "日本語"}
		}),
		"hostile": base(func(in *Input) {
			in.Call.Status = call.Answered
			in.Call.Customer.Name = `<script>alert("name")</script>`
			in.Call.Note = "<script>alert(1)</script> {{ owner_id }}\n<img src=x onerror=alert(2)>"
			in.Call.Tags = []string{`"><svg onload=alert(3)>`}
			in.Call.Recordings = []call.Recording{{URL: "javascript:alert(4)"}}
			in.Call.Disposition.Value = "=cmd|'/c calc'!A1"
		}),
		"long_note": base(func(in *Input) {
			in.Call.Status = call.Answered
			in.Call.Note = strings.Repeat("<long note> ", 64<<10/12)
			in.Call.Transcription.Text = strings.Repeat("& so on ", 64<<10/8)
		}),
	}
}

// callEndings are further ways in which calls end, for the documents of calls.
func callEndings() map[string]Input {
	all := realisticCalls()
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		panic(err)
	}
	ending := func(direction call.Direction, status call.Status, change func(in *Input)) Input {
		in := all["missed"]
		in.Location = kolkata
		in.Call.Direction, in.Call.Status = direction, status
		in.Call.Customer.Name = "Asha Rao"
		in.Call.Agents = []call.Agent{{Name: "Ann Agent", Extension: "101", Status: call.AgentDialed}}
		if change != nil {
			change(&in)
		}
		return in
	}
	all["outbound_missed"] = ending(call.Outbound, call.Missed, nil)
	all["outbound_voicemail"] = ending(call.Outbound, call.Voicemail, nil)
	all["outbound_busy"] = ending(call.Outbound, call.Busy, nil)
	all["abandoned_in_queue"] = ending(call.Inbound, call.Abandoned, func(in *Input) {
		in.Call.Agents, in.Call.Queue, in.Call.Tags = nil, "Front desk", []string{"vip"}
	})
	all["internal_answered"] = ending(call.Internal, call.Answered, func(in *Input) {
		in.Call.Customer, in.Call.BusinessNumber = call.Party{}, ""
		in.Call.Agents[0].Status = call.AgentAnswered
	})
	all["nothing"] = Input{Call: call.Call{ID: "call-3", Provider: "generic", Phase: call.Ended}, CallURL: "https://sync.example/calls/call-3"}
	return all
}

// TestDefaultDocuments holds every default mapping to what it made of the realistic calls; go test -update rewrites it.
func TestDefaultDocuments(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../connectors/*/mapping_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		connector := filepath.Base(filepath.Dir(path))
		object := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "mapping_"), ".yaml")
		t.Run(connector+"/"+object, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			doc, err := Parse(data)
			require.NoError(t, err)
			require.Equal(t, object, doc.Object)
			p, err := Compile(doc)
			require.NoError(t, err)
			for name, in := range realisticInputs(object) {
				res, err := p.Apply(in)
				require.NoError(t, err, name)
				got, err := encodeJSON(map[string]any{"fields": res.Fields, "modes": res.Modes, "warnings": res.Warnings}, "  ")
				require.NoError(t, err)
				golden := filepath.Join("testdata", "defaults", connector, object, name+".json")
				if *update {
					require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
					require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err, "run go test ./mappings -update")
				require.JSONEq(t, string(want), string(got), name)
			}
		})
	}
}

// TestDefaultsEscapeStrangers looks for what a golden file would only record: no text of a stranger is markup.
func TestDefaultsEscapeStrangers(t *testing.T) {
	t.Parallel()
	p := defaultCall(t)
	res, err := p.Apply(realisticCalls()["hostile"])
	require.NoError(t, err)
	body := res.Fields["hs_call_body"].(string)
	for _, bad := range []string{"<script", "<img", "<svg", "javascript:"} {
		require.NotContains(t, body, bad)
	}
	require.Contains(t, body, "{{ owner_id }}", "a value is no template")
	long, err := p.Apply(realisticCalls()["long_note"])
	require.NoError(t, err)
	require.Less(t, utf16Length(long.Fields["hs_call_body"].(string)), 65536)
}

func defaultCall(t testing.TB) *Program {
	t.Helper()
	data, err := os.ReadFile("../connectors/hubspot/mapping_call.yaml")
	require.NoError(t, err)
	doc, err := Parse(data)
	require.NoError(t, err)
	p, err := Compile(doc)
	require.NoError(t, err)
	return p
}

// TestClearedNoteLeavesTheBody shows what becomes of a note that an agent wrote and deleted again.
func TestClearedNoteLeavesTheBody(t *testing.T) {
	t.Parallel()
	p := defaultCall(t)
	in := answeredInbound()
	in.Call.Note = ""
	in.Call.Disposition = call.Disposition{}
	res, err := p.Apply(in)
	require.NoError(t, err)
	require.NotContains(t, res.Fields["hs_call_body"], "Note:")
	v, ok := res.Fields["hs_call_disposition"]
	require.True(t, ok)
	require.Nil(t, v)
	_, err = json.Marshal(res.Fields)
	require.NoError(t, err)
}

// badLine finds a label without its value, and separators with nothing between them.
var badLine = regexp.MustCompile(`(?m)^(?:<(?:b|strong)>)?[A-Z][A-Za-z ]*:(?:</(?:b|strong)>)?\s*(?:<br>)?$|, ,|, $|^, |/ /|  |\b(?:from|to|for|with|of)\s*$`)

// Whatever a phone system leaves out, and however the call ended, no default document writes an empty label, a double
// separator or a sentence without its end.
func TestDefaultsReadWellWithoutAnyFact(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../connectors/*/mapping_call.yaml")
	require.NoError(t, err)
	programs := map[string]*Program{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		doc, err := Parse(data)
		require.NoError(t, err)
		programs[path], err = Compile(doc)
		require.NoError(t, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := answeredInbound()
		c := &in.Call
		c.Direction = call.Direction(rapid.SampledFrom(append(slices.Clone(directions), "")).Draw(t, "direction"))
		c.Status = call.Status(rapid.SampledFrom(append(slices.Clone(statuses), "")).Draw(t, "status"))
		for name, leave := range map[string]func(){
			"name": func() { c.Customer.Name = "" }, "number": func() { c.Customer.Number, c.Customer.RawNumber = "", "" },
			"own number": func() { c.BusinessNumber = "" }, "agents": func() { c.Agents = nil }, "agent name": func() { c.Agents = []call.Agent{{}} },
			"queue": func() { c.Queue = "" }, "talk": func() { c.TalkSeconds = nil }, "duration": func() { c.DurationSeconds = ptr(int64(0)) },
			"times":   func() { c.StartedAt, c.AnsweredAt, c.EndedAt = time.Time{}, time.Time{}, time.Time{} },
			"outcome": func() { c.Disposition.Value = "" }, "second outcome": func() { c.Disposition.SubValue = "" },
			"tags": func() { c.Tags = nil }, "one tag": func() { c.Tags = c.Tags[:min(1, len(c.Tags))] }, "note": func() { c.Note = "" },
			"text": func() { c.Transcription.Text = "" }, "source": func() { c.Attribution.Source = "" }, "medium": func() { c.Attribution.Medium = "" },
			"recording": func() { in.RecordingURL, c.Recordings = "", nil }, "link": func() { in.CallURL = "" },
		} {
			if rapid.Bool().Draw(t, name) {
				leave()
			}
		}
		for path, p := range programs {
			res, err := p.Apply(in)
			require.NoError(t, err)
			for field, v := range res.Fields {
				if s, ok := v.(string); ok {
					require.NotRegexp(t, badLine, s, "%s %s", path, field)
				}
			}
		}
	})
}
