package mappings

import (
	"errors"
	"fmt"
	"slices"

	"github.com/callsync/callsync/internal/exprkit"
)

// RuleDecision is what a rules document says of a call.
type RuleDecision struct {
	Action RuleAction
	// Rule is the number of the rule that decided, from 1, and Name its name; 0 and empty if none matched.
	Rule int
	Name string
	// Reason is the rule's own.
	Reason string
}

// Skips tells whether the call is kept out.
func (d RuleDecision) Skips() bool { return d.Action == RuleSkip }

// Withholds tells whether the call goes without its recordings and transcription.
func (d RuleDecision) Withholds() bool { return d.Action == RuleWithhold }

// Withheld says for people why a call went without its recording. place is as of Sentence.
func (d RuleDecision) Withheld(place string) string {
	switch {
	case d.Rule == 0:
		return fmt.Sprintf("Without its recording: the rules of %s say so of all calls.", place)
	case d.Reason != "":
		return fmt.Sprintf("Without its recording by the rule “%s” of %s: %s", d.Name, place, d.Reason)
	}
	return fmt.Sprintf("Without its recording by the rule “%s” of %s.", d.Name, place)
}

// Withhold tells whether any rule does: then they are asked about calls that are in the CRM, too.
func (p *Rules) Withhold() bool {
	return p.otherwise == RuleWithhold || slices.ContainsFunc(p.rules, func(r compiledRule) bool { return r.Action == RuleWithhold })
}

// Sentence says for people why a call was skipped. place is what the rules belong to: "the source Front desk".
func (d RuleDecision) Sentence(place string) string {
	switch {
	case d.Rule == 0:
		return fmt.Sprintf("Skipped: none of the rules of %s lets this call through.", place)
	case d.Reason != "":
		return fmt.Sprintf("Skipped by the rule “%s” of %s: %s", d.Name, place, d.Reason)
	}
	return fmt.Sprintf("Skipped by the rule “%s” of %s.", d.Name, place)
}

// RuleError says which rule could not be evaluated. Neither text holds values of the call.
type RuleError struct {
	Rule int
	Name string
	// Public is a sentence for the person who edits the rules.
	Public string
	// Err is the operator's chain.
	Err error
}

func (e *RuleError) Error() string { return fmt.Sprintf("rule %d (%s): %v", e.Rule, e.Name, e.Err) }

func (e *RuleError) Unwrap() error { return e.Err }

// rulesBudget is the work that one decision may cost, for all rules together: a hundred of them may look into a long
// transcription.
const rulesBudget = 4 * workBudget

// Decide finds the first rule that matches the call of in. All rules of one decision share one budget of work. The error is
// a *RuleError: a rule before the deciding one could not be evaluated, so nobody knows what the document says.
func (p *Rules) Decide(in Input) (RuleDecision, error) {
	r := startRun(&in)
	defer r.end()
	r.budget = rulesBudget
	for i, rule := range p.rules {
		ok, err := rule.holds(r)
		if err != nil {
			return RuleDecision{}, &RuleError{Rule: i + 1, Name: rule.Name, Err: err,
				Public: fmt.Sprintf("The rule “%s” (%d) does not work for this call: %s", rule.Name, i+1, publicOfRule(err))}
		}
		if ok {
			return RuleDecision{Action: rule.Action, Rule: i + 1, Name: rule.Name, Reason: rule.Reason}, nil
		}
	}
	return RuleDecision{Action: p.otherwise}, nil
}

// holds evaluates the rule's condition. No panic leaves it: what is wrong with one rule must not stop a worker.
func (c compiledRule) holds(r *run) (ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			ok, err = false, errors.New("rule panicked: "+exprkit.Fault(p))
		}
	}()
	return c.test(r)
}

func publicOfRule(err error) string {
	if errors.Is(err, errTooMuch) {
		return "the rules do too much work. Shorten the expressions, or look at less text."
	}
	return public(err)
}
