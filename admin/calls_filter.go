package admin

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/records"
)

// CallQuery chooses calls, in the API.
type CallQuery struct {
	Query         string    `query:"q" maxLength:"200" doc:"A number in any format, its end or its beginning; beginnings of words of a name, a company, an e-mail address or an agent, whatever the case and the accents; an id of callsync or of the phone system."`
	State         string    `query:"state" enum:"live,waiting,synced,on_hold,skipped"`
	Source        string    `query:"source"`
	Connection    string    `query:"connection" doc:"Calls that have a delivery to this connection."`
	Lane          string    `query:"lane" enum:"waiting,done,on_hold,skipped" doc:"With connection: where that delivery stands."`
	Direction     string    `query:"direction" enum:"inbound,outbound,internal,unknown"`
	Status        string    `query:"status" enum:"ringing,in_progress,answered,missed,voicemail,abandoned,busy,failed,cancelled,unknown"`
	Recording     string    `query:"recording" enum:"arrived,expected,overdue,not_expected"`
	Transcription string    `query:"transcription" enum:"arrived,expected,overdue,not_expected"`
	Disposition   string    `query:"disposition" enum:"arrived,expected,overdue,not_expected"`
	From          time.Time `query:"from" doc:"Calls that began then or later (RFC 3339)."`
	To            time.Time `query:"to" doc:"Calls that began before (RFC 3339)."`
}

// filter is q for the store.
func (q CallQuery) filter() (records.CallFilter, error) {
	var out faults
	for at, id := range map[string]string{"source": q.Source, "connection": q.Connection} {
		if id != "" && !validID(id) {
			out.add(at, "This is not an id.")
		}
	}
	if q.Lane != "" && q.Connection == "" {
		out.add("lane", "Name the connection, too.")
	}
	return records.CallFilter{Query: q.Query, State: q.State, SourceID: q.Source, ConnectionID: q.Connection, LaneState: laneStates[q.Lane],
		Direction: call.Direction(q.Direction), Status: call.Status(q.Status), Recording: call.ArtifactState(q.Recording),
		Transcription: call.ArtifactState(q.Transcription), Disposition: call.ArtifactState(q.Disposition), From: q.From, To: q.To}, out.problem()
}

// laneStates are the states of deliveries by the words that people and scripts see.
var laneStates = map[string]string{"waiting": records.DeliveryWaiting, "done": records.DeliveryDone, "on_hold": records.DeliveryParked, "skipped": records.DeliverySkipped}

// choice is one of the values of a filter.
type choice struct {
	Value, Label string
	Chosen       bool
}

// callFilters are the filters of the list of calls whose values are known beforehand. Lane needs a connection.
var callFilters = []struct {
	name, label string
	choices     []choice
}{
	{"state", "State", []choice{{Value: "live", Label: "Live"}, {Value: "waiting", Label: "Waiting"}, {Value: "synced", Label: "Synced"}, {Value: "on_hold", Label: "On hold"}, {Value: "skipped", Label: "Skipped"}}},
	{"lane", "There", []choice{{Value: "done", Label: "Synced"}, {Value: "waiting", Label: "Waiting"}, {Value: "on_hold", Label: "On hold"}, {Value: "skipped", Label: "Skipped"}}},
	{"when", "Time", []choice{{Value: "1h", Label: "Last hour"}, {Value: "24h", Label: "Last 24 hours"}, {Value: "today", Label: "Today"}, {Value: "yesterday", Label: "Yesterday"}, {Value: "7d", Label: "Last 7 days"}, {Value: "30d", Label: "Last 30 days"}}},
	{"direction", "Direction", []choice{{Value: "inbound", Label: "Inbound"}, {Value: "outbound", Label: "Outbound"}, {Value: "internal", Label: "Internal"}, {Value: "unknown", Label: "Unknown"}}},
	{"status", "Result", []choice{{Value: "answered", Label: "Answered"}, {Value: "missed", Label: "Missed"}, {Value: "voicemail", Label: "Voicemail"}, {Value: "abandoned", Label: "Abandoned"}, {Value: "busy", Label: "Busy"}, {Value: "failed", Label: "Failed"}, {Value: "cancelled", Label: "Cancelled"}, {Value: "ringing", Label: "Ringing"}, {Value: "in_progress", Label: "In progress"}, {Value: "unknown", Label: "Unknown"}}},
	{"recording", "Recording", artifactChoices}, {"transcription", "Transcription", artifactChoices}, {"disposition", "Disposition", artifactChoices},
}

var artifactChoices = []choice{{Value: "arrived", Label: "Arrived"}, {Value: "expected", Label: "Expected"}, {Value: "overdue", Label: "Overdue"}, {Value: "not_expected", Label: "Not expected"}}

// freeFilters are those with values of their own.
var freeFilters = []string{"q", "source", "connection", "from", "to"}

// callsFilter is what the address of the list of calls asks for. What is no filter, or no value of one, is left out.
type callsFilter struct {
	values url.Values
	// zone is that of the days that from, to and when name.
	zone *time.Location
	now  time.Time
}

func readCallsFilter(q url.Values, now time.Time) callsFilter {
	f := callsFilter{values: url.Values{}, zone: time.UTC, now: now}
	for _, name := range freeFilters {
		if v := strings.TrimSpace(clip(q.Get(name), 200)); v != "" {
			f.values.Set(name, v)
		}
	}
	for _, c := range callFilters {
		if v := q.Get(c.name); slices.ContainsFunc(c.choices, func(o choice) bool { return o.Value == v }) {
			f.values.Set(c.name, v)
		}
	}
	if f.get("connection") == "" {
		f.values.Del("lane")
	}
	for _, name := range []string{"from", "to"} {
		if f.get(name) != "" && f.moment(name).IsZero() {
			f.values.Del(name)
		}
	}
	if f.get("from") != "" || f.get("to") != "" {
		f.values.Del("when")
	}
	// The zone belongs to the address only where it changes what the address means.
	days := f.get("when") == "today" || f.get("when") == "yesterday" || len(f.get("from")) == len(dateForm) || len(f.get("to")) == len(dateForm)
	if loc, err := time.LoadLocation(q.Get("zone")); err == nil && q.Get("zone") != "" && q.Get("zone") != "Local" && days {
		f.zone = loc
		f.values.Set("zone", q.Get("zone"))
	}
	return f
}

func (f callsFilter) get(name string) string { return f.values.Get(name) }

// any tells whether anything is filtered.
func (f callsFilter) any() bool {
	for name := range f.values {
		if name != "zone" {
			return true
		}
	}
	return false
}

// url is the list's address with a change.
func (f callsFilter) url(path string, change func(url.Values)) string {
	v := url.Values{}
	for name, value := range f.values {
		v[name] = value
	}
	if change != nil {
		change(v)
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// moment is from or to: the beginning of a day or, of to, its end; or a moment.
func (f callsFilter) moment(name string) time.Time {
	text := f.get(name)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC()
	}
	at, err := time.ParseInLocation(dateForm, text, f.zone)
	if err != nil || at.Year() < 1 || at.Year() > 9998 {
		return time.Time{}
	}
	if name == "to" {
		at = at.AddDate(0, 0, 1)
	}
	return at.UTC()
}

// span is the time that is asked for.
func (f callsFilter) span() (from, to time.Time) {
	local := f.now.In(f.zone)
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, f.zone)
	switch f.get("when") {
	case "1h":
		return f.now.Add(-time.Hour), time.Time{}
	case "24h":
		return f.now.Add(-24 * time.Hour), time.Time{}
	case "7d":
		return f.now.AddDate(0, 0, -7), time.Time{}
	case "30d":
		return f.now.AddDate(0, 0, -30), time.Time{}
	case "today":
		return today.UTC(), time.Time{}
	case "yesterday":
		return today.AddDate(0, 0, -1).UTC(), today.UTC()
	}
	if f.get("from") != "" {
		from = f.moment("from")
	}
	if f.get("to") != "" {
		to = f.moment("to")
	}
	return from, to
}

// query is f as the API has it.
func (f callsFilter) query() CallQuery {
	q := CallQuery{Query: f.get("q"), State: f.get("state"), Source: f.get("source"), Connection: f.get("connection"), Lane: f.get("lane"),
		Direction: f.get("direction"), Status: f.get("status"), Recording: f.get("recording"), Transcription: f.get("transcription"), Disposition: f.get("disposition")}
	q.From, q.To = f.span()
	return q
}

// filter is f for the store. An id that is none finds nothing.
func (f callsFilter) filter() records.CallFilter {
	q := f.query()
	q.Source, q.Connection = known(q.Source), known(q.Connection)
	out, _ := q.filter()
	return out
}

// filterChip is a filter that is on, with the address of the list without it.
type filterChip struct{ Name, Value, URL string }

// chips are the filters that are on, but for the state, which has tabs.
func (f callsFilter) chips(k kept) []filterChip {
	var out []filterChip
	add := func(name, label, value string) {
		out = append(out, filterChip{label, visible(value), f.url("/calls", func(v url.Values) {
			v.Del(name)
			if name == "connection" {
				v.Del("lane")
			}
		})})
	}
	if v := f.get("q"); v != "" {
		add("q", "Search", "“"+v+"”")
	}
	if v := f.get("source"); v != "" {
		name := k.sources[v].Name
		if name == "" {
			name = "unknown"
		}
		add("source", "Source", name)
	}
	if v := f.get("connection"); v != "" {
		name := "unknown"
		if c, ok := k.connection(v); ok {
			name = c.Name
		}
		add("connection", "Connection", name)
	}
	for _, c := range callFilters {
		for _, o := range c.choices {
			if c.name != "state" && o.Value == f.get(c.name) {
				add(c.name, c.label, o.Label)
			}
		}
	}
	for _, one := range [][2]string{{"from", "From"}, {"to", "To"}} {
		name, label := one[0], one[1]
		if v := f.get(name); v != "" {
			if at, err := time.Parse(time.RFC3339, v); err == nil {
				v = at.UTC().Format("2 Jan 2006, 15:04 UTC")
			} else if at, err := time.Parse(dateForm, v); err == nil {
				v = at.Format("2 Jan 2006")
			}
			add(name, label, v)
		}
	}
	return out
}

// choices are the values of a filter, with the one that is on.
func (f callsFilter) choices(name string) []choice {
	for _, c := range callFilters {
		if c.name == name {
			out := slices.Clone(c.choices)
			for i := range out {
				out[i].Chosen = out[i].Value == f.get(name)
			}
			return out
		}
	}
	return nil
}

// filterWords say what a stored filter chooses, for people.
func filterWords(f records.CallFilter, k kept) string {
	subject := "Calls"
	if len(f.IDs) > 0 {
		subject = plural(len(f.IDs), "chosen call")
	} else if f.State != "" {
		label, _ := stateChip(f.State)
		subject = label + " calls"
	}
	var what []string
	if f.Direction != "" {
		what = append(what, string(f.Direction))
	}
	if f.Status != "" {
		what = append(what, strings.ReplaceAll(string(f.Status), "_", " "))
	}
	if s, ok := k.sources[f.SourceID]; ok {
		what = append(what, "from "+s.Name)
	}
	if c, ok := k.connection(f.ConnectionID); ok {
		word := "that have gone to "
		switch f.LaneState {
		case records.DeliveryParked:
			word = "on hold for "
		case records.DeliveryWaiting:
			word = "waiting for "
		case records.DeliverySkipped:
			word = "skipped for "
		}
		what = append(what, word+c.Name)
	}
	for _, a := range []struct {
		name  string
		state call.ArtifactState
	}{{"recording", f.Recording}, {"transcription", f.Transcription}, {"disposition", f.Disposition}} {
		if a.state != "" {
			what = append(what, "with "+a.name+" "+strings.ReplaceAll(string(a.state), "_", " "))
		}
	}
	if f.Query != "" {
		what = append(what, "that match “"+f.Query+"”")
	}
	if len(what) == 0 && subject == "Calls" {
		return "All calls"
	}
	return strings.TrimSpace(subject + " " + strings.Join(what, ", "))
}
