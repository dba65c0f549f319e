package admin

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/records"
)

// dispositionsPage is the table of dispositions beside the CRM's outcomes.
type dispositionsPage struct {
	ID, Name, CRM string
	// Options are the CRM's outcomes; none where it could not be asked, or has no list (Listless).
	Options  []connectors.DispositionOption
	Listless bool
	Warnings []string
	Rows     []dispositionRow
	// Unknown counts the dispositions of calls that become no outcome.
	Unknown int
	Wrong   string
	// New is what somebody typed for a new row.
	New string
}

// dispositionRow is one disposition of the phone systems and what it becomes.
type dispositionRow struct {
	Value string
	// Calls of the latest had it; zero for one that only stands in the table. Last is when.
	Calls int64
	Last  time.Time
	// State is "unknown", "same" (an outcome has the same name), "table" or "gone" (the CRM has that outcome no more).
	State string
	// Chosen is the outcome's id in the table, Becomes its name; Guess is the id that the form proposes.
	Chosen, Becomes, Guess string
}

func (h *Handler) dispositionsPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showDispositions(w, r, p, http.StatusOK, "", "")
}

func (h *Handler) showDispositions(w http.ResponseWriter, r *http.Request, p principal, status int, wrong, typed string) error {
	c, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := dispositionsPage{ID: c.ID, Name: c.Name, CRM: h.crm(c), Wrong: wrong, New: typed}
	options, warning, err := h.outcomes(r.Context(), c)
	if wrong := (*Problem)(nil); errors.As(err, &wrong) && wrong.Status == http.StatusUnprocessableEntity {
		v.Listless = true
	} else if err != nil {
		return err
	}
	if !v.Listless {
		table, err := h.dispositions(r.Context(), p, c, options, warning)
		if err != nil {
			return err
		}
		v.Options, v.Warnings = table.Body.Options, table.Body.Warnings
		slices.SortStableFunc(v.Options, func(a, b connectors.DispositionOption) int {
			return strings.Compare(strings.ToLower(a.Label), strings.ToLower(b.Label))
		})
		seen, err := h.Store.SeenDispositions(r.Context(), p.WorkspaceID)
		if err != nil {
			return err
		}
		v.Rows = dispositionRows(seen, table.Body.Items, v.Options, warning == "")
	}
	for _, row := range v.Rows {
		if row.State == "unknown" || row.State == "gone" {
			v.Unknown++
		}
	}
	f, err := h.newFrame(r, p, "Dispositions", "connections", v)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "dispositions", f)
}

// dispositionRows joins what calls had with the table: first what becomes nothing, then the most frequent. asked tells that
// the options are known.
func dispositionRows(seen []records.SeenDisposition, table []DispositionView, options []connectors.DispositionOption, asked bool) []dispositionRow {
	label := func(id string) string {
		if i := slices.IndexFunc(options, func(o connectors.DispositionOption) bool { return o.ID == id }); i >= 0 {
			return outcomeLabel(options[i])
		}
		return ""
	}
	var rows []dispositionRow
	at := map[string]int{}
	for _, s := range seen {
		key := records.DispositionKey(s.Value)
		if i, ok := at[key]; ok {
			rows[i].Calls += s.Calls
			continue
		}
		at[key] = len(rows)
		rows = append(rows, dispositionRow{Value: s.Value, Calls: s.Calls, Last: s.Last})
	}
	for _, t := range table {
		i, ok := at[records.DispositionKey(t.Value)]
		if !ok {
			i = len(rows)
			rows = append(rows, dispositionRow{Value: t.Value})
		}
		rows[i].Chosen = t.OptionID
	}
	for i := range rows {
		r := &rows[i]
		same := slices.IndexFunc(options, func(o connectors.DispositionOption) bool {
			return records.DispositionKey(o.Label) == records.DispositionKey(r.Value)
		})
		switch {
		case r.Chosen != "" && (!asked || label(r.Chosen) != ""):
			r.State, r.Becomes, r.Guess = "table", cmp.Or(label(r.Chosen), r.Chosen), r.Chosen
		case r.Chosen != "":
			r.State, r.Becomes, r.Guess = "gone", r.Chosen, guess(r.Value, options)
		case same >= 0:
			r.State, r.Becomes = "same", outcomeLabel(options[same])
		default:
			r.State, r.Guess = "unknown", guess(r.Value, options)
		}
	}
	rank := map[string]int{"gone": 0, "unknown": 0, "table": 1, "same": 2}
	slices.SortStableFunc(rows, func(a, b dispositionRow) int {
		return cmp.Or(cmp.Compare(rank[a.State], rank[b.State]), cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Value, b.Value))
	})
	return rows
}

func outcomeLabel(o connectors.DispositionOption) string {
	return visible(clip(cmp.Or(o.Label, o.ID), 200))
}

// guess is the outcome whose name has most words in common with a disposition; empty where none has any.
func guess(value string, options []connectors.DispositionOption) string {
	words := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' && r < 0x80 })
	}
	of := words(value)
	best, id := 0.0, ""
	for _, o := range options {
		names := words(o.Label)
		same := 0
		for _, w := range names {
			if slices.Contains(of, w) {
				same++
			}
		}
		if score := float64(same) / float64(len(names)+len(of)); same > 0 && score > best {
			best, id = score, o.ID
		}
	}
	return id
}

// dispositionForm puts one disposition into the table, or takes it out with an empty option.
func (h *Handler) dispositionForm(w http.ResponseWriter, r *http.Request, p principal) error {
	id := r.PathValue("id")
	if _, err := h.Store.ConnectionByID(r.Context(), p.WorkspaceID, id); err != nil {
		return err
	}
	value, option := strings.TrimSpace(r.PostFormValue("value")), strings.TrimSpace(r.PostFormValue("option"))
	if value == "" || len(value) > 200 || len(option) > 200 {
		return h.showDispositions(w, r, p, http.StatusUnprocessableEntity, "Write the disposition as the phone system has it, in at most 200 characters.", clip(value, 200))
	}
	all, err := h.Store.Dispositions(r.Context(), p.WorkspaceID, id)
	if err != nil {
		return err
	}
	in := dispositionsPut{PathID: PathID{ID: id}}
	for _, d := range all {
		if records.DispositionKey(d.Value) != records.DispositionKey(value) {
			in.Body.Items = append(in.Body.Items, DispositionView{d.Value, d.OptionID})
		}
	}
	if option == "" && len(in.Body.Items) == len(all) {
		return h.showDispositions(w, r, p, http.StatusUnprocessableEntity, "Choose the outcome that “"+clip(value, 100)+"” becomes.", "")
	}
	if option != "" {
		in.Body.Items = append(in.Body.Items, DispositionView{value, option})
	}
	// Rows that are wrong already (the CRM has dropped an outcome) must not keep anybody from mending another one.
	wrong := (*Problem)(nil)
	if _, err = h.putDispositions(r.Context(), p, &in); errors.As(err, &wrong) && wrong.Status == http.StatusUnprocessableEntity && !onlyOthersWrong(wrong, len(in.Body.Items)-1, option) {
		return h.showDispositions(w, r, p, wrong.Status, wrong.Detail, clip(value, 200))
	} else if wrong != nil {
		rows := make([]records.Disposition, 0, len(in.Body.Items))
		for _, d := range in.Body.Items {
			rows = append(rows, records.Disposition{Value: d.Value, OptionID: d.OptionID})
		}
		if err := h.Store.PutDispositions(r.Context(), p.WorkspaceID, id, rows); err != nil {
			return err
		}
		h.compared(r.Context(), p, id, connectors.ObjectCall)
	} else if err != nil {
		return err
	}
	return back(w, r, "/connections/"+id+"/dispositions", "disposition")
}

// onlyOthersWrong tells whether what is wrong with a table is not the row that somebody has just set, which is the last.
func onlyOthersWrong(wrong *Problem, last int, option string) bool {
	if len(wrong.Errors) == 0 {
		return false
	}
	if option == "" {
		return true
	}
	return !slices.ContainsFunc(wrong.Errors, func(e FieldError) bool {
		return strings.HasPrefix(e.Field, "items["+strconv.Itoa(last)+"]")
	})
}
