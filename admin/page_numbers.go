package admin

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/callsync/callsync/records"
)

// numbersView is the page of the workspace's own numbers.
type numbersView struct {
	Listed  []listedRow
	Learned []learnedRow
	// Wrong says why what was typed was not listed; Number and Label are what was typed.
	Wrong, Number, Label string
}

type listedRow struct {
	records.OwnNumber
	Display string
}

type learnedRow struct {
	records.LearnedNumber
	Display, Source, State, Chip string
}

func (h *Handler) numbersPage(w http.ResponseWriter, r *http.Request, p principal) error {
	return h.showNumbers(w, r, p, http.StatusOK, numbersView{})
}

func (h *Handler) showNumbers(w http.ResponseWriter, r *http.Request, p principal, status int, v numbersView) error {
	k, err := h.kept(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	all, err := h.Store.OwnNumbers(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, n := range all {
		listed[n.Number] = true
		v.Listed = append(v.Listed, listedRow{n, readable(n.Number)})
	}
	learned, err := h.Store.LearnedNumbers(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	for _, n := range learned {
		if listed[n.Number] {
			continue
		}
		row := learnedRow{LearnedNumber: n, Display: readable(n.Number), Source: k.sources[n.SourceID].Name, State: "Yours", Chip: "done"}
		switch {
		case n.Rejected:
			row.State, row.Chip = "Not yours", "idle"
		case n.OwnSeen > n.CustomerSeen && !n.Counts:
			row.State, row.Chip = "Seen too seldom to say", "wait"
		case !n.Counts:
			row.State, row.Chip = "A customer’s more often", "idle"
		}
		v.Learned = append(v.Learned, row)
	}
	page, err := h.newFrame(r, p, "Your own numbers", settingsNav+"numbers", v)
	if err != nil {
		return err
	}
	return h.render(w, r, status, "numbers", page)
}

func (h *Handler) numberForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.RejectNumber(r.Context(), p.WorkspaceID, r.PostFormValue("number"), r.PostFormValue("rejected") == "true"); err != nil {
		return err
	}
	return back(w, r, "/numbers", "number")
}

// maxLabel is how many characters the label of a number may have.
const maxLabel = 200

// listNumberForm lists a number, or changes the label of a listed one.
func (h *Handler) listNumberForm(w http.ResponseWriter, r *http.Request, p principal) error {
	v := numbersView{Number: clip(strings.TrimSpace(r.PostFormValue("number")), 40), Label: strings.TrimSpace(r.PostFormValue("label"))}
	number, err := ownNumber(v.Number)
	switch {
	case err != nil:
		v.Wrong = noPhoneNumber
	case utf8.RuneCountInString(v.Label) > maxLabel:
		v.Wrong, v.Label = fmt.Sprintf("Say what it is in at most %d characters.", maxLabel), clip(v.Label, maxLabel)
	}
	if v.Wrong != "" {
		return h.showNumbers(w, r, p, http.StatusUnprocessableEntity, v)
	}
	if err := h.Store.ListOwnNumber(r.Context(), p.WorkspaceID, records.OwnNumber{Number: number, Label: v.Label}); err != nil {
		return err
	}
	return back(w, r, "/numbers", "number")
}

func (h *Handler) unlistNumberForm(w http.ResponseWriter, r *http.Request, p principal) error {
	if err := h.Store.UnlistOwnNumber(r.Context(), p.WorkspaceID, r.PostFormValue("number")); err != nil {
		return err
	}
	return back(w, r, "/numbers", "number")
}
