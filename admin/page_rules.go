package admin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// rulesPageView is the page of the rules of a source or connection.
type rulesPageView struct {
	Kind, ID, Name string
	// List is the page of all of its kind.
	List, ListName string
	// Page is where the source or connection itself is.
	Page string
	Self string
	// Tab is builder or text.
	Tab       string
	Text      string
	Version   int
	Author    string
	ChangedAt time.Time
	Rules     []ruleForm
	Otherwise string
	Presets   []preset
	// Wrong is what is wrong and belongs to no row.
	Wrong   []string
	Unsaved bool
	// Comments tells that the text has comments, which the builder does not keep.
	Comments bool
	// Others are the rules that decide before these.
	Others  []ruleLink
	Preview rulesPreviewView
	Last    int
}

type ruleLink struct{ Name, URL string }

type rulesPreviewView struct {
	RulesPreview
	// Broken tells that there is nothing to show because the rules cannot be used as they are; Why says what is wrong.
	Broken bool
	Why    []string
}

// At is the zone of the call's source.
func (c RuledCall) At() *time.Location { return c.at }

// rulesPage shows the rules in force.
func (h *Handler) rulesPage(owner string) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, p principal) error {
		o, err := h.ruled(r.Context(), p, owner, r.PathValue("id"))
		if err != nil {
			return err
		}
		v := newRulesView(o)
		doc, err := mappings.ReadRules([]byte(o.present.Document))
		v.fill(doc, o.present.Document)
		if r.URL.Query().Get("tab") == "text" {
			v.Tab = "text"
		}
		if err != nil {
			v.Tab, v.Wrong = "text", problemTexts(err)
		}
		// A call that a rule skipped leads to that rule.
		if i := slices.IndexFunc(v.Rules, func(rule ruleForm) bool { return rule.Name != "" && rule.Name == r.URL.Query().Get("rule") }); i >= 0 {
			v.Rules[i].Named = true
		}
		return h.showRules(w, r, p, o, v, doc, err, http.StatusOK)
	}
}

func newRulesView(o ruledOwner) rulesPageView {
	v := rulesPageView{Kind: o.kind, ID: o.id, Name: o.name, List: "/" + o.kind + "s", ListName: title(o.kind + "s"), Self: "/" + o.kind + "s/" + o.id + "/rules",
		Tab: "builder", Version: o.present.Version, Author: o.present.Author, ChangedAt: o.present.UpdatedAt, Presets: presets, Last: previewed}
	v.Page = v.List + "/" + o.id
	if o.kind == records.RulesOfConnection {
		v.Page = v.List + "#" + o.id
		for _, s := range o.sources {
			v.Others = append(v.Others, ruleLink{s.Name, "/sources/" + s.ID + "/rules"})
		}
	}
	return v
}

// fill shows a document in the builder and as text.
func (v *rulesPageView) fill(doc mappings.RulesDocument, text string) {
	v.Rules, v.Otherwise, v.Text = formOf(doc), string(doc.Otherwise), text
	if text == "" {
		v.Text = yamlOf(doc)
	}
	v.Comments = slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") })
}

func yamlOf(doc mappings.RulesDocument) string {
	text, err := doc.YAML()
	if err != nil {
		return "" // a document is made of texts and numbers only
	}
	return string(text)
}

func problemTexts(err error) (out []string) {
	var problems mappings.RuleProblems
	if !errors.As(err, &problems) {
		return []string{err.Error()}
	}
	for _, p := range problems {
		s := p.String()
		out = append(out, strings.ToUpper(s[:1])+s[1:])
	}
	return out
}

// rulesForm does what a button of the page asks for. The rules that are being edited live in the form.
func (h *Handler) rulesForm(owner string) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, p principal) error {
		o, err := h.ruled(r.Context(), p, owner, r.PathValue("id"))
		if err != nil {
			return err
		}
		v, do := newRulesView(o), r.PostForm.Get("do")
		v.Unsaved = true
		// The version on which the change was made, not the one that is in force by now.
		v.Version, _ = strconv.Atoi(r.PostForm.Get("version"))
		v.Last = min(max(atoi(r.PostForm.Get("last"), previewed), 1), 500)
		var doc mappings.RulesDocument
		var wrong error
		if r.PostForm.Get("tab") == "text" {
			v.Tab = "text"
			doc, wrong = o.parse(strings.TrimSpace(r.PostForm.Get("text")))
			v.fill(doc, r.PostForm.Get("text"))
			if do == "builder" && wrong == nil {
				v.Tab = "builder"
			}
		} else {
			v.Otherwise = r.PostForm.Get("otherwise")
			v.Rules = change(readRules(r.PostForm), do)
			doc = document(v.Rules, v.Otherwise)
			if problems := doc.Problems(o.countries()...); len(problems) > 0 {
				wrong = problems
			}
			v.Text = yamlOf(doc)
			if do == "text" {
				v.Tab = "text"
			}
		}
		status := http.StatusOK
		if do == "save" && !p.may(admin) {
			return problem(http.StatusForbidden, "Your role may not do this. Ask an admin of your workspace.")
		}
		if do == "save" && wrong == nil {
			_, err := h.saveRules(r.Context(), p, o, v.Text, v.Version)
			if err == nil {
				return saved(w, r, v)
			}
			refused := asProblem(r.Context(), h.Log, err)
			v.Wrong, status = []string{refused.Detail}, refused.Status
		}
		if wrong != nil && (do == "save" || v.Tab == "text") {
			if v.Tab == "text" {
				v.Wrong = problemTexts(wrong)
			} else {
				var problems mappings.RuleProblems
				errors.As(wrong, &problems)
				v.Wrong = append([]string{"Nothing was saved yet: " + counted(len(problems), "thing is", "things are") + " not right below."}, complain(v.Rules, problems)...)
			}
			if do == "save" {
				status = http.StatusUnprocessableEntity
			}
		}
		return h.showRules(w, r, p, o, v, doc, wrong, status)
	}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func atoi(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
}

// saved leads to the page of the rules that are in force now.
func saved(w http.ResponseWriter, r *http.Request, v rulesPageView) error {
	to := v.Self + "?" + url.Values{"tab": {v.Tab}, "done": {"rules"}}.Encode()
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", to)
		return nil
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// showRules decides about the last calls and shows the page.
func (h *Handler) showRules(w http.ResponseWriter, r *http.Request, p principal, o ruledOwner, v rulesPageView, doc mappings.RulesDocument, wrong error, status int) error {
	if wrong != nil {
		v.Preview = rulesPreviewView{Broken: true, Why: problemTexts(wrong)}
		v.Preview.Why = v.Preview.Why[:min(len(v.Preview.Why), 5)]
	} else {
		preview, err := h.previewRules(r.Context(), p, o, doc, v.Last)
		if err != nil {
			return err
		}
		v.Preview.RulesPreview = preview
	}
	v.Rules = shown(v.Rules, v.Self, o.sources)
	f, err := h.newFrame(r, p, "Rules of "+o.name, o.kind+"s", v)
	if err != nil {
		return err
	}
	if status != http.StatusOK && r.Header.Get("HX-Request") != "" {
		status = http.StatusOK // htmx shows no others
	}
	return h.render(w, r, status, "rules", f)
}
