package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// columnsCookie keeps the columns that somebody has chosen. They belong to the reader and the screen, not to the address:
// a link that is passed on chooses calls, and shows them as its reader has the list.
const columnsCookie = "callsync_columns"

// callColumn is a column of the list of calls that can be left out. The time and who called are always there.
type callColumn struct {
	ID, Label string
	Shown     bool
	usual     bool
}

var allCallColumns = []callColumn{
	{ID: "call", Label: "Direction and result", usual: true}, {ID: "business", Label: "Business number"}, {ID: "agent", Label: "Agent", usual: true},
	{ID: "length", Label: "Length", usual: true}, {ID: "source", Label: "Source", usual: true}, {ID: "queue", Label: "Queue"}, {ID: "tags", Label: "Tags"},
	{ID: "recording", Label: "Recording"}, {ID: "transcription", Label: "Transcription"}, {ID: "disposition", Label: "Disposition"},
	{ID: "crms", Label: "CRMs", usual: true}, {ID: "state", Label: "State", usual: true},
}

// callColumns are the columns that the reader wants.
func callColumns(r *http.Request) ([]callColumn, map[string]bool) {
	columns, show := slices.Clone(allCallColumns), map[string]bool{}
	var chosen []string
	cookie, err := r.Cookie(columnsCookie)
	if err == nil {
		chosen = strings.Split(cookie.Value, ".")
	}
	for i := range columns {
		c := &columns[i]
		c.Shown = err != nil && c.usual || err == nil && slices.Contains(chosen, c.ID)
		show[c.ID] = c.Shown
	}
	return columns, show
}

func (h *Handler) callColumnsForm(w http.ResponseWriter, r *http.Request, _ principal) error {
	cookie := &http.Cookie{Name: columnsCookie, Path: "/calls", HttpOnly: true, Secure: h.public.Scheme == "https", SameSite: http.SameSiteLaxMode, MaxAge: int((366 * 24 * time.Hour).Seconds())}
	chosen := []string{"-"} // none is a choice, too
	for _, c := range allCallColumns {
		if slices.Contains(r.PostForm["column"], c.ID) {
			chosen = append(chosen, c.ID)
		}
	}
	if cookie.Value = strings.Join(chosen, "."); r.PostForm.Get("do") == "usual" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
	// The filter comes back; nothing else can be led to.
	filter, _ := url.ParseQuery(r.PostForm.Get("filter"))
	http.Redirect(w, r, readCallsFilter(filter, h.Now()).url("/calls", nil), http.StatusSeeOther)
	return nil
}
