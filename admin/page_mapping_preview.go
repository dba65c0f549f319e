package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/mappings"
)

type mappingPreviewView struct {
	MappingPreview
	// Made is false until the preview was asked for; Refused says why there is none.
	Made    bool
	Refused string
	Sizes   []int
}

// previewOnPage makes the preview; what keeps it from being made is said in its place.
func (h *Handler) previewOnPage(ctx context.Context, p principal, v *mappingPageView, doc mappings.Document, wrong error) {
	out := &v.Preview
	out.Made = true
	if !p.may(operator) {
		out.Refused = "Previews show numbers and texts of customers. Your role does not see them."
		return
	}
	if wrong != nil {
		out.Refused = "The document cannot be used yet. What is wrong stands beside it."
		return
	}
	active, before, err := h.activeDocument(ctx, p, v.ID, v.Object)
	if err == nil {
		out.MappingPreview, err = h.previewMapping(ctx, p, previewAsk{connection: v.ID, object: v.Object, active: active, before: before, after: doc,
			last: v.Last, find: v.Find, size: pagePreviewSize})
	}
	if err != nil {
		out.Refused = asProblem(ctx, h.Log, err).Detail
		return
	}
	v.choose()
}

// choose puts what the rows gave for one call beside them: for the one that was chosen, else for the first.
func (v *mappingPageView) choose() {
	items := v.Preview.Items
	for i := range items {
		items[i].labels = v.Fields.label
	}
	at := slices.IndexFunc(items, func(c PreviewedCall) bool { return c.ID == v.Chosen })
	if at < 0 && len(items) > 0 {
		at, v.Chosen = 0, items[0].ID
	}
	if at < 0 {
		v.Chosen = ""
		return
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		f := slices.IndexFunc(items[at].Fields, func(f PreviewedField) bool { return f.Target == r.Target && f.After != nil })
		if f >= 0 {
			r.Given = givenBy(items[at].Fields[f].After)
		}
	}
}

// Shown is what a payload has for a field as text; there is none where the field is not in it.
func (s PreviewedSide) Shown(target string) string {
	v, ok := s.Payload[target]
	if !ok {
		return ""
	}
	if v == nil {
		return "(cleared)"
	}
	return shownValue(v)
}

// Has tells whether a field is in the payload.
func (s PreviewedSide) Has(target string) bool { _, ok := s.Payload[target]; return ok }

func shownValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return clip(v, pageValue)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case []string:
		return clip(strings.Join(v, ", "), pageValue)
	}
	return clip(fmt.Sprint(v), pageValue)
}

// ShownNow and ShownWritten are the values that the CRM has and that callsync wrote last.
func (f PreviewedField) ShownNow() string { return shownValue(f.Now) }

// ShownWritten is what callsync wrote last.
func (f PreviewedField) ShownWritten() string { return shownValue(f.Written) }

// Told is the explanation to show: of the document, or of the version in force where the document has no row.
func (f PreviewedField) Told() *mappings.RowExplanation {
	if f.After != nil {
		return f.After
	}
	return f.Before
}

// Why says why a side has nothing for a field.
func (f PreviewedField) Why(e *mappings.RowExplanation) string {
	switch {
	case e == nil:
		return "no row"
	case e.Error != "":
		return e.Error
	case e.Skipped != "":
		return e.Skipped
	}
	return "nothing to write"
}

// At is the zone of the call's source.
func (c PreviewedCall) At() *time.Location { return c.at }

// Differing and Alike are the fields that the change alters, and the others.
func (c PreviewedCall) Differing() []PreviewedField { return c.fields(false) }

// Alike are the fields that stay as they are.
func (c PreviewedCall) Alike() []PreviewedField { return c.fields(true) }

func (c PreviewedCall) fields(same bool) (out []PreviewedField) {
	for _, f := range c.Fields {
		if (f.Kind == mappings.RowSame) == same {
			out = append(out, f)
		}
	}
	return out
}
