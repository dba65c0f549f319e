package telephony

import "strings"

// ConfigChecker is a Provider that can tell more about a source's settings than its Info: whether a document in one of
// them can be understood. It is asked before settings are saved; the error is a ConfigProblems.
type ConfigChecker interface {
	CheckConfig(config map[string]string) error
}

// ConfigProblem is one fault in the settings of a source. Setting is the name of the field; Text is a sentence for people
// that says where in it.
type ConfigProblem struct {
	Setting string
	Text    string
}

// ConfigProblems are all faults that were found in the settings of a source.
type ConfigProblems []ConfigProblem

func (p ConfigProblems) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.Setting + ": " + one.Text)
	}
	return b.String()
}

// SettingsReplier is a Provider whose answer depends on the settings of the source. It is asked instead of Reply. Like
// Reply it is pure, and its status is one of success: the request is stored.
type SettingsReplier interface {
	ReplyWith(Request, Settings) Reply
}

// ReplyTo is what the phone system must be answered.
func ReplyTo(p Provider, r Request, s Settings) Reply {
	if with, ok := p.(SettingsReplier); ok {
		return with.ReplyWith(r, s)
	}
	return p.Reply(r)
}
