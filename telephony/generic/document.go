package generic

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/internal/doctree"
	"github.com/callsync/callsync/internal/exprkit"
	"github.com/callsync/callsync/telephony"
	"github.com/callsync/callsync/telephony/generic/expression"
)

// Format is the version of the format of mappings that this package reads.
const Format = 1

// Limits of a mapping.
const (
	maxDocument = 16 << 10 // What a setting may have.
	maxRules    = 100
	maxRows     = 100
	maxAliases  = 16
	maxProblems = 50
)

// program is a compiled mapping. It is safe for concurrent use. With problems it has no rules that could run.
type program struct {
	rules    []rule
	problems telephony.ConfigProblems
	// first says where the first problem is, for people who must not see more of the document.
	first string
}

// rule makes an event of a request if its condition is true.
type rule struct {
	// at names the rule: events[0].
	at      string
	subject *subject
	when    *expression.Program
	kind    choice
	id      *expression.Program
	aliases []alias
	// occurredAt is when the phone system says that it happened.
	occurredAt *expression.Program
	rows       []row
	// asserted are the fields that count even when they are empty; named gives more of them.
	asserted []call.Field
	named    *expression.Program
	outlook  []outlook
}

type alias struct {
	kind  string
	value *expression.Program
}

type row struct {
	name  string
	set   setter
	value *expression.Program
}

type outlook struct {
	artifact call.Artifact
	value    choice
}

// choice is one of a fixed list of words, or an expression that gives one of them.
type choice struct {
	word string
	expr *expression.Program
}

// subject is what the rules of one of the document's lists speak of.
type subject struct {
	kinds  []string
	fields map[string]setter
	// indexed are the lists of which one item's member can be named: agents[0].name.
	indexed map[string]bool
	// open are the groups in which any name can stand: attributes.x.
	open map[string]func(t *target) *map[string]any
}

// compile reads a mapping and finds all that is wrong with it.
func compile(text string) *program {
	b := &builder{program: &program{}}
	switch {
	case strings.TrimSpace(text) == "":
		b.fail(nil, "", "", "There is no mapping.")
	case len(text) > maxDocument:
		b.fail(nil, "", "", "The mapping has %d bytes; %d is the most.", len(text), maxDocument)
	default:
		root, err := doctree.Parse([]byte(text))
		if err != nil {
			b.fail(nil, "", "", "This is neither YAML nor JSON: %s.", err)
			break
		}
		b.document(root)
	}
	return b.program
}

// builder compiles the tree of a document.
type builder struct {
	program *program
}

func (b *builder) fail(n *yaml.Node, at, suggestion, format string, args ...any) {
	p := b.program
	where := at
	if n != nil && n.Line > 0 {
		where = strings.TrimSuffix(fmt.Sprintf("line %d, %s", n.Line, at), ", ")
	}
	if p.first == "" {
		p.first = where
	}
	if len(p.problems) >= maxProblems {
		return
	}
	text := fmt.Sprintf(format, args...)
	if where != "" {
		text = strings.ToUpper(where[:1]) + where[1:] + ": " + text
	}
	if suggestion != "" {
		text += fmt.Sprintf(" Did you mean %s?", suggestion)
	}
	p.problems = append(p.problems, telephony.ConfigProblem{Setting: settingMapping, Text: text})
}

// members walks the keys of a group in their order; read has a function for each key that is allowed.
func (b *builder) members(n *yaml.Node, at string, read map[string]func(v *yaml.Node, at string)) {
	b.each(n, at, func(k, v *yaml.Node, at string) {
		if f, ok := read[k.Value]; ok {
			f(v, at)
			return
		}
		names := slices.Sorted(maps.Keys(read))
		b.fail(k, at, exprkit.Nearest(k.Value, names), "This is not known here; there are %s.", strings.Join(names, ", "))
	})
}

// each walks a group whose keys are names of the document's author.
func (b *builder) each(n *yaml.Node, at string, read func(k, v *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		b.fail(n, at, "", "Here must be a group of names and values.")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		inner := strings.TrimPrefix(at+"."+clip(k.Value), ".")
		if k.Kind != yaml.ScalarNode || seen[k.Value] {
			b.fail(k, inner, "", "This is given twice, or is no name.")
			continue
		}
		seen[k.Value] = true
		read(k, v, inner)
	}
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

func (b *builder) document(root *yaml.Node) {
	hasFormat, rules := false, 0
	list := func(s *subject) func(*yaml.Node, string) {
		return func(n *yaml.Node, at string) {
			if n.Kind != yaml.SequenceNode {
				b.fail(n, at, "", "Here must be a list of rules.")
				return
			}
			for i, item := range n.Content {
				if rules++; rules > maxRules {
					b.fail(item, at, "", "There are more than %d rules.", maxRules)
					return
				}
				b.rule(item, fmt.Sprintf("%s[%d]", at, i), s)
			}
		}
	}
	b.members(root, "", map[string]func(*yaml.Node, string){
		"format": func(n *yaml.Node, at string) {
			hasFormat = true
			if n.Value != strconv.Itoa(Format) {
				b.fail(n, at, "", "The format must be %d.", Format)
			}
		},
		"note":     func(*yaml.Node, string) {},
		"events":   list(events),
		"messages": list(messages),
		"forms":    list(forms),
	})
	if !hasFormat && len(b.program.problems) == 0 {
		b.fail(root, "format", "", "The format is missing; it is %d.", Format)
	}
	if rules == 0 && len(b.program.problems) == 0 {
		b.fail(root, "", "", "There are no rules: give some under events, messages or forms.")
	}
}

var aliasKind = regexp.MustCompile(`^[a-z][a-z0-9_]{0,59}$`)

func (b *builder) rule(n *yaml.Node, at string, s *subject) {
	r := rule{at: at, subject: s}
	read := map[string]func(*yaml.Node, string){
		"note":        func(*yaml.Node, string) {},
		"when":        func(v *yaml.Node, at string) { r.when = b.value(v, at) },
		"id":          func(v *yaml.Node, at string) { r.id = b.value(v, at) },
		"occurred_at": func(v *yaml.Node, at string) { r.occurredAt = b.value(v, at) },
		"fields":      func(v *yaml.Node, at string) { b.rows(v, at, &r) },
	}
	if len(s.kinds) > 1 {
		read["kind"] = func(v *yaml.Node, at string) { r.kind = b.choice(v, at, s.kinds) }
	} else {
		r.kind.word = s.kinds[0]
	}
	if s == events {
		read["aliases"] = func(v *yaml.Node, at string) {
			b.each(v, at, func(k, v *yaml.Node, at string) {
				if !aliasKind.MatchString(k.Value) || len(r.aliases) >= maxAliases {
					b.fail(k, at, "", "An alias has a name of small letters, digits and underscores; there are %d at most.", maxAliases)
					return
				}
				r.aliases = append(r.aliases, alias{k.Value, b.value(v, at)})
			})
		}
		read["asserted"] = func(v *yaml.Node, at string) { b.asserted(v, at, &r) }
		read["outlook"] = func(v *yaml.Node, at string) {
			b.each(v, at, func(k, v *yaml.Node, at string) {
				if !slices.Contains(artifacts, k.Value) {
					b.fail(k, at, exprkit.Nearest(k.Value, artifacts), "There is no such artifact; there are %s.", strings.Join(artifacts, ", "))
					return
				}
				r.outlook = append(r.outlook, outlook{call.Artifact(k.Value), b.choice(v, at, outlooks)})
			})
		}
	}
	before := len(b.program.problems)
	b.members(n, at, read)
	if len(b.program.problems) == before {
		if r.kind == (choice{}) {
			b.fail(n, at, "", "The kind is missing; there are %s.", strings.Join(s.kinds, ", "))
		}
		if r.id == nil && len(r.aliases) == 0 {
			b.fail(n, at, "", "The id is missing: without it nobody can tell which call, message or form it is about.")
		}
	}
	b.program.rules = append(b.program.rules, r)
}

var (
	artifacts = []string{"recording", "transcription", "disposition", "details"}
	outlooks  = []string{string(call.Never), string(call.Possible), string(call.Announced)}
)

func (b *builder) rows(n *yaml.Node, at string, r *rule) {
	b.each(n, at, func(k, v *yaml.Node, at string) {
		if len(r.rows) >= maxRows {
			b.fail(k, at, "", "There are more than %d fields.", maxRows)
			return
		}
		set, ok := r.subject.setter(k.Value)
		if !ok {
			names := r.subject.names()
			b.fail(k, at, exprkit.Nearest(k.Value, names), "There is no such field; there are %s.", strings.Join(names, ", "))
		}
		r.rows = append(r.rows, row{name: k.Value, set: set, value: b.value(v, at)})
	})
}

// value reads an expression, {const: …} or {path: …}.
func (b *builder) value(n *yaml.Node, at string) *expression.Program {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		b.fail(n, at, "", "Here must be an expression, {const: …} or {path: …}.")
	case n.Kind == yaml.ScalarNode:
		return b.expression(n, at)
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "const":
		v, err := constantOf(n.Content[1], 0)
		if err != nil {
			b.fail(n, at, "", "The constant cannot be read: %s.", err)
		}
		return expression.Constant(v)
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "path":
		if p := pathOf(n.Content[1]); p != nil {
			return expression.At(p)
		}
		b.fail(n, at, "", "A path is names with dots between them, such as data.call-id or legs[0].name, or a list of names and places.")
	default:
		b.fail(n, at, "", "Here must be an expression, {const: …} or {path: …}.")
	}
	return nil
}

func (b *builder) expression(n *yaml.Node, at string) *expression.Program {
	p, problems := language.Compile(n.Value)
	for _, problem := range problems {
		text := problem.Text
		if problem.Offset > 0 {
			text = fmt.Sprintf("Character %d: %s", problem.Offset+1, text)
		}
		b.fail(n, at, problem.Suggestion, "%s", text)
	}
	return p
}

// choice reads one of words, or an expression that gives one. A name alone is a misspelled word: no phone system sends
// ours.
func (b *builder) choice(n *yaml.Node, at string, words []string) choice {
	if n.Kind == yaml.ScalarNode && slices.Contains(words, n.Value) {
		return choice{word: n.Value}
	}
	if n.Kind != yaml.ScalarNode {
		b.fail(n, at, "", "Here must be one of %s, or an expression that gives one.", strings.Join(words, ", "))
		return choice{}
	}
	p := b.expression(n, at)
	if p != nil && p.Plain() {
		b.fail(n, at, exprkit.Nearest(n.Value, words), "This is none of %s.", strings.Join(words, ", "))
	}
	return choice{expr: p}
}

func (b *builder) asserted(n *yaml.Node, at string, r *rule) {
	if n.Kind != yaml.SequenceNode {
		r.named = b.value(n, at)
		return
	}
	for _, item := range n.Content {
		f := call.Field(item.Value)
		if item.Kind != yaml.ScalarNode || !f.Known() {
			b.fail(item, at, exprkit.Nearest(item.Value, events.names()), "There is no such field.")
			continue
		}
		r.asserted = append(r.asserted, f)
	}
}

var pathPart = regexp.MustCompile(`^([^\[\]]+)((?:\[-?\d{1,4}\])*)$`)

// pathOf reads a path, nil if it is none.
func pathOf(n *yaml.Node) expression.Path {
	var out expression.Path
	switch {
	case n.Kind == yaml.ScalarNode && n.Value != "" && len(n.Value) <= 1000:
		for part := range strings.SplitSeq(n.Value, ".") {
			found := pathPart.FindStringSubmatch(part)
			if found == nil {
				return nil
			}
			out = append(out, strings.TrimSpace(found[1]))
			for place := range strings.SplitSeq(strings.Trim(found[2], "[]"), "][") {
				if i, err := strconv.Atoi(place); err == nil {
					out = append(out, i)
				}
			}
		}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && len(n.Content) <= doctree.MaxDepth:
		for i, item := range n.Content {
			place, err := strconv.Atoi(item.Value)
			switch {
			case item.Kind != yaml.ScalarNode || item.Value == "":
				return nil
			case i > 0 && item.ShortTag() == "!!int" && err == nil:
				out = append(out, place)
			default:
				out = append(out, item.Value)
			}
		}
	default:
		return nil
	}
	return out
}
