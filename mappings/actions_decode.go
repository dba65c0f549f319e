package mappings

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/internal/doctree"
	"github.com/callsync/callsync/internal/exprkit"
)

// Limits of an actions document.
const (
	maxActions     = 50
	maxSubject     = 250
	maxActionBody  = 8000
	maxDue         = 31 * 24 * time.Hour
	maxActionRows  = 50
	maxAssignee    = 255
	actionsSubject = "subject"
	actionsBody    = "body"
)

// actionKinds, closes and deals are the words of their members, the usual one first.
var (
	actionKinds = []string{string(DoFollowUp), string(DoTicket), string(DoDeal)}
	closes      = []string{CloseOnCallBack, CloseOnConversation}
	deals       = []string{DealRecent, DealOwner, DealOnly}
)

// ParseActions reads an actions document in YAML or JSON and checks it wholly; countries are as for ParseRules. The error is
// a RuleProblems with everything that is wrong; the document is then as much as could be read.
func ParseActions(data []byte, countries ...string) (ActionsDocument, error) {
	if len(countries) == 0 {
		countries = []string{""}
	}
	doc, d := decodeActions(data)
	problems := slices.Clone(d.problems)
	_, faults := compileActions(doc, countries)
	for _, p := range plain(faults) {
		// What could not be read is absent; saying so again would only distract.
		if !slices.Contains(d.unread, p.Row) && !slices.ContainsFunc(d.problems, func(u Problem) bool {
			return u.Row == p.Row && u.Key != "" && (u.Key == p.Key || strings.HasPrefix(u.Key, p.Key+"."))
		}) {
			p.Line = d.at.of(p.Row, p.Key)
			problems = append(problems, p)
		}
	}
	if len(problems) == 0 {
		return doc, nil
	}
	return doc, actionProblems(problems)
}

// ReadActions reads and compiles a document that was stored, for calls of sources in a country. As with rules, a phone number
// of another country stops nothing. An empty text has no actions.
func ReadActions(data []byte, country string) (*Actions, error) {
	if len(data) == 0 {
		return &Actions{}, nil
	}
	doc, d := decodeActions(data)
	if len(d.problems) > 0 {
		return nil, actionProblems(d.problems)
	}
	out, faults := compileActions(doc, []string{country})
	faults = slices.DeleteFunc(faults, func(p ruleFault) bool { return p.unread })
	if len(faults) > 0 {
		return nil, actionProblems(plain(faults))
	}
	return out, nil
}

// ActionProblem is a RuleProblem of the action of that number, for what only the owner of the document knows.
func ActionProblem(number int, name, key, text string) RuleProblem {
	return RuleProblem{Rule: number, Name: clip(clean(name), maxRuleName), Key: key, Text: text, noun: "action"}
}

func actionProblems(problems Problems) RuleProblems {
	out := ruleProblems(problems)
	for i := range out {
		out[i].noun = "action"
	}
	return out
}

// actionDecoder turns the tree into an ActionsDocument. What an action has in common with a rule it reads as one.
type actionDecoder struct{ *ruleDecoder }

func decodeActions(data []byte) (ActionsDocument, actionDecoder) {
	var doc ActionsDocument
	d := actionDecoder{&ruleDecoder{at: ruleLines{}}}
	if len(data) > maxDocument {
		d.problems = Problems{{Text: fmt.Sprintf("The document has %d bytes; %d is the most.", len(data), maxDocument)}}
		return doc, d
	}
	root, err := doctree.Parse(data)
	if err != nil {
		d.problems = Problems{{Text: "This is neither YAML nor JSON: " + err.Error() + "."}}
		return doc, d
	}
	d.document(root, &doc)
	return doc, d
}

func (d actionDecoder) document(n *yaml.Node, doc *ActionsDocument) {
	d.members(n, "", map[string]func(*yaml.Node, string){
		"actions": func(v *yaml.Node, key string) {
			switch {
			case v.Kind != yaml.SequenceNode:
				d.fail(v, key, "", "actions is a list. To have none, write actions: [].")
				return
			case len(v.Content) > maxActions:
				d.fail(v, key, "", "The document has %d actions; %d is the most.", len(v.Content), maxActions)
				return
			}
			for i, item := range v.Content {
				d.row, d.target = i+1, ""
				d.seen(item, "")
				doc.Actions = append(doc.Actions, d.action(item))
			}
			d.row, d.target = 0, ""
		},
	})
}

func (d actionDecoder) action(n *yaml.Node) Action {
	a := Action{}
	if n.Kind != yaml.MappingNode {
		d.unread = append(d.unread, d.row)
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "name" && n.Content[i+1].Kind == yaml.ScalarNode {
			d.target = clip(clean(n.Content[i+1].Value), maxRuleName)
		}
	}
	member := func(read func(*yaml.Node, string)) func(*yaml.Node, string) {
		return func(v *yaml.Node, key string) { d.seen(v, key); read(v, key) }
	}
	when := false
	d.members(n, "", map[string]func(*yaml.Node, string){
		"name":     member(d.text(&a.Name)),
		"do":       member(d.text((*string)(&a.Do))),
		"when":     func(v *yaml.Node, key string) { when, a.When = true, d.condition(v, key, 1) },
		"subject":  member(d.template(&a.Subject)),
		"body":     member(d.template(&a.Body)),
		"priority": member(d.text(&a.Priority)),
		"assign":   member(d.text(&a.Assign)),
		"due_in":   member(d.span(&a.DueIn)),
		"hours": member(func(v *yaml.Node, key string) {
			if h, ok := d.hours(v, key).(Hours); ok {
				a.Hours = &h
			}
		}),
		"close_on": member(d.text(&a.CloseOn)),
		"escalate": member(func(v *yaml.Node, key string) {
			a.Escalate = &Escalation{}
			d.members(v, key, map[string]func(*yaml.Node, string){
				"after":       member(d.span(&a.Escalate.After)),
				"to":          member(d.text(&a.Escalate.To)),
				"priority":    member(d.text(&a.Escalate.Priority)),
				"second_task": member(d.flag(&a.Escalate.SecondTask)),
			})
		}),
		"which_deal": member(d.text(&a.Deal)),
		"fields":     member(func(v *yaml.Node, key string) { a.Fields = d.rows(v, key) }),
	})
	if !when && a.Do == DoFollowUp {
		a.When = MissedInbound()
	}
	return a
}

// rows are those of a mapping, whose faults are named by their place in the action.
func (d actionDecoder) rows(n *yaml.Node, key string) (out []Row) {
	switch {
	case n.Kind != yaml.SequenceNode:
		d.fail(n, key, "", "fields is a list of rows, as in a mapping.")
		return nil
	case len(n.Content) > maxActionRows:
		d.fail(n, key, "", "The action has %d rows; %d is the most.", len(n.Content), maxActionRows)
		return nil
	}
	for i, item := range n.Content {
		in := fmt.Sprintf("%s[%d]", key, i)
		d.seen(item, in)
		sub := decoder{}
		out = append(out, sub.readRow(item))
		for _, p := range sub.problems {
			p.Row, p.Target, p.Key = d.row, d.target, strings.TrimSuffix(in+"."+p.Key, ".")
			d.problems = append(d.problems, p)
		}
	}
	return out
}

// span reads a length of time.
func (d actionDecoder) span(to *time.Duration) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		s := strings.ReplaceAll(n.Value, " ", "")
		v, err := time.ParseDuration(s)
		if n.Kind != yaml.ScalarNode || err != nil || v < 0 || v%time.Minute != 0 {
			d.fail(n, key, "", "Write a length of time such as 30m, 4h or 1h30m.")
			return
		}
		if *to = v; v > maxDue {
			d.fail(n, key, "", "The longest time is %d hours.", int(maxDue.Hours()))
		}
	}
}

func (d actionDecoder) flag(to *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		v, _ := scalar(n)
		is, ok := v.(bool)
		if !ok {
			d.fail(n, key, "", "Write true or false here, without quotes.")
		}
		*to = is
	}
}

func compileActions(doc ActionsDocument, countries []string) (*Actions, []ruleFault) {
	c := &actionCompiler{rulesCompiler{countries: countries}}
	out := &Actions{}
	seen := map[string]int{}
	for i, a := range doc.Actions {
		c.row, c.name = i+1, clip(clean(a.Name), maxRuleName)
		switch first, again := seen[foldKey(a.Name)]; {
		case !singleLine(a.Name, maxRuleName) || foldKey(a.Name) == "":
			c.fail("name", "", "Give the action a name of up to %d characters in one line; it is shown with what it makes.", maxRuleName)
		case again:
			c.fail("name", "", "Action %d has this name already.", first)
		default:
			seen[foldKey(a.Name)] = i + 1
		}
		out.all = append(out.all, c.action(a))
	}
	return out, c.faults
}

type actionCompiler struct{ rulesCompiler }

// foreign are members that belong to other kinds, with what they belong to.
func (c *actionCompiler) foreign(a Action) {
	for _, m := range []struct {
		key   string
		given bool
		kinds []ActionKind
	}{
		{"due_in", a.DueIn != 0, []ActionKind{DoFollowUp}},
		{"hours", a.Hours != nil, []ActionKind{DoFollowUp}},
		{"close_on", a.CloseOn != "", []ActionKind{DoFollowUp}},
		{"escalate", a.Escalate != nil, []ActionKind{DoFollowUp}},
		{"subject", len(a.Subject) > 0, []ActionKind{DoFollowUp, DoTicket}},
		{"body", len(a.Body) > 0, []ActionKind{DoFollowUp, DoTicket}},
		{"priority", a.Priority != "", []ActionKind{DoFollowUp, DoTicket}},
		{"assign", a.Assign != "", []ActionKind{DoFollowUp, DoTicket}},
		{"which_deal", a.Deal != "", []ActionKind{DoDeal}},
		{"fields", len(a.Fields) > 0, []ActionKind{DoDeal}},
	} {
		if m.given && !slices.Contains(m.kinds, a.Do) {
			c.fail(m.key, "", "An action with do: %s has no %s.", a.Do, m.key)
		}
	}
}

func (c *actionCompiler) word(key string, have *string, allowed []string) {
	if *have == "" {
		*have = allowed[0]
	}
	if !slices.Contains(allowed, *have) {
		c.fail(key, exprkit.Nearest(*have, allowed), "Write %s here.", strings.Join(allowed, ", "))
	}
}

func (c *actionCompiler) action(a Action) compiledAction {
	if !slices.Contains(actionKinds, string(a.Do)) {
		c.fail("do", exprkit.Nearest(string(a.Do), actionKinds), "Say what is to be done: %s.", strings.Join(actionKinds, ", "))
		return compiledAction{Action: a}
	}
	c.foreign(a)
	out := compiledAction{test: c.condition(a.When, "when", 1)}
	switch a.Do {
	case DoDeal:
		c.word("which_deal", &a.Deal, deals)
		if len(a.Fields) == 0 {
			c.fail("fields", "", "Say what the deal gets: a list of rows, each with a target and a value.")
		}
		out.deal = c.program(Document{Format: Format, Object: objectDeal, Fields: a.Fields}, func(p Problem) string {
			return strings.TrimSuffix(fmt.Sprintf("fields[%d].%s", p.Row-1, p.Key), ".")
		})
	default:
		if a.Assign == "" {
			a.Assign = AssignOwner
		}
		if !singleLine(a.Assign, maxAssignee) {
			c.fail("assign", "", "Write owner, nobody, or a user of the CRM by e-mail or id.")
		}
		c.texts(&a, &out)
	}
	if a.Priority != "" {
		c.word("priority", &a.Priority, priorities)
	}
	if a.Do == DoFollowUp {
		c.word("close_on", &a.CloseOn, closes)
		c.escalation(a)
		c.openHours(a, &out)
	}
	out.Action = a
	return out
}

func (c *actionCompiler) escalation(a Action) {
	e := a.Escalate
	if e == nil {
		return
	}
	if e.Priority != "" {
		c.word("escalate.priority", &e.Priority, priorities)
	}
	if !singleLine(e.To, maxAssignee) {
		c.fail("escalate.to", "", "Write a user of the CRM by e-mail or id.")
	}
	if e.To == "" && e.Priority == "" {
		c.fail("escalate", "", "Say what escalation does: to (a user of the CRM), priority, or both.")
	}
	if e.SecondTask && e.To == "" {
		c.fail("escalate.second_task", "", "A second task needs somebody to do it: say to.")
	}
}

func (c *actionCompiler) openHours(a Action, out *compiledAction) {
	if a.Hours == nil {
		return
	}
	hours, faults := a.Hours.compile()
	for _, member := range sortedKeys(faults) {
		c.fail("hours."+member, "", "%s", faults[member])
	}
	if len(faults) > 0 {
		return
	}
	out.hours = hours
	open := 0
	for _, is := range hours.days {
		if is {
			open++
		}
	}
	minutes := (hours.to - hours.from + dayMinutes) % dayMinutes
	if minutes == 0 {
		minutes = dayMinutes
	}
	longest := a.DueIn
	if a.Escalate != nil {
		longest = max(longest, a.Escalate.After)
	}
	if longest > time.Duration(open*minutes)*time.Minute*50 {
		c.fail("hours", "", "With these hours it takes more than a year until %s have passed.", longest)
	}
}

// texts compiles the templates of subject and body as rows of a mapping.
func (c *actionCompiler) texts(a *Action, out *compiledAction) {
	if len(a.Subject) == 0 {
		a.Subject = Template{"Call back {{ coalesce(customer.name, customer.company, phone_international(customer.number), customer.raw_number, \"the caller\") }}"}
		if a.Do == DoTicket {
			a.Subject = Template{"Call of {{ coalesce(customer.name, customer.company, phone_international(customer.number), customer.raw_number, \"an unknown caller\") }}"}
		}
	}
	if len(a.Body) == 0 && a.Do == DoTicket {
		a.Body = Template{"{{ note }}", "{{ join(tags, \", \") }}"}
	}
	keys := []string{actionsSubject}
	rows := []Row{{Target: actionsSubject, Value: Value{Template: a.Subject}, MaxLength: maxSubject}}
	if len(a.Body) > 0 {
		keys, rows = append(keys, actionsBody), append(rows, Row{Target: actionsBody, Value: Value{Template: a.Body}, MaxLength: maxActionBody})
	}
	out.texts = c.program(Document{Format: Format, Object: objectCall, Fields: rows}, func(p Problem) string {
		if p.Row < 1 || p.Row > len(keys) {
			return ""
		}
		return keys[p.Row-1]
	})
}

func (c *actionCompiler) program(d Document, key func(Problem) string) *Program {
	if len(d.Fields) == 0 {
		return nil
	}
	p, problems := compile(d)
	for _, problem := range problems {
		c.fail(key(problem), problem.Suggestion, "%s", problem.Text)
		c.faults[len(c.faults)-1].Column = problem.Column
	}
	return p
}
