package mappings

import (
	"fmt"
	"html"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/call"
)

// benchRows are ten rows as customers write them; the benchmark has them four times over, under other names, which makes 40:
//
//	4 plain fields of text, 4 of a time, 4 of a list
//	4 fallbacks (coalesce), 4 calculations (millis of one of two fields), 4 times as text in the source's zone (time_format)
//	4 look-ups in a table, 4 constants with a condition of two comparisons
//	4 templates of text with 2 expressions, 4 of HTML with 4 lines and as many expressions, of which one is a link
//
// All of them give a value with the benchmark's call, so none is cheap because it is skipped.
var benchRows = []string{
	`{target: number%d, value: {field: customer.number}}`,
	`{target: started%d, type: datetime, value: {field: started_at}}`,
	`{target: agent%d, value: {expr: "coalesce(agent.name, agent.email, agent.extension)"}}`,
	`{target: millis%d, type: number, value: {expr: "millis(talk_seconds ?? duration_seconds)"}}`,
	`{target: direction%d, type: picklist, value: {lookup: {key: direction, table: {inbound: INBOUND, outbound: OUTBOUND}}}}`,
	`{target: title%d, value: {template: "{{ label(direction) }} call with {{ customer.name }}"}}`,
	`{target: tags%d, type: multi, value: {field: tags}}`,
	`{target: when%d, value: {expr: 'time_format(started_at, "YYYY-MM-DD HH:mm")'}}`,
	`{target: long%d, type: bool, when: talk_seconds > 30 and status == "answered", value: {const: true}}`,
	`{target: body%d, type: html, max_length: 65536, value: {template: ["Agent: {{ agent.name }}", "Duration: {{ duration_text(talk_seconds) }}", "Note: {{ note }}", '<a href="{{ recording_url }}">listen</a>']}}`,
}

func BenchmarkApply(b *testing.B) {
	var rows []string
	for i := range 4 {
		for _, r := range benchRows {
			rows = append(rows, fmt.Sprintf(r, i))
		}
	}
	p := program(b, rows...)
	in := answeredInbound()
	res, err := p.Apply(in)
	require.NoError(b, err)
	require.Equal(b, byHand(in), res, "both must do the same work")
	b.Run("mapping", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Apply(in)
		}
	})
	b.Run("by_hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = byHand(in)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	doc, err := Parse([]byte(everyForm))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Compile(doc)
	}
}

// byHand is what benchRows say, written in Go as a programmer would for one customer.
func byHand(in Input) Result {
	c := in.Call
	res := Result{Fields: make(map[string]any, 40), Modes: make(map[string]Mode, 40)}
	for i := range 4 {
		put := func(name string, v any) {
			name += string(rune('0' + i))
			res.Fields[name], res.Modes[name] = v, Overwrite
		}
		var answered call.Agent
		for _, a := range c.Agents {
			if a.Status == call.AgentAnswered {
				answered = a
				break
			}
		}
		put("number", c.Customer.Number)
		put("started", c.StartedAt.UTC())
		put("agent", answered.Name)
		put("millis", *c.TalkSeconds*1000)
		switch c.Direction {
		case call.Inbound:
			put("direction", "INBOUND")
		case call.Outbound:
			put("direction", "OUTBOUND")
		}
		d := string(c.Direction)
		put("title", strings.ToUpper(d[:1])+d[1:]+" call with "+c.Customer.Name)
		put("tags", append([]string(nil), c.Tags...))
		put("when", c.StartedAt.In(in.Location).Format("2006-01-02 15:04"))
		if *c.TalkSeconds > 30 && c.Status == call.Answered {
			put("long", true)
		}
		put("body", "Agent: "+escaped(answered.Name)+"<br>\nDuration: "+durationText(int(*c.TalkSeconds))+"<br>\nNote: "+escaped(c.Note)+
			"<br>\n<a href=\""+escaped(in.RecordingURL)+"\">listen</a>")
	}
	return res
}

func escaped(s string) string { return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>") }
