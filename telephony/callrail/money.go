package callrail

import (
	"regexp"
	"strings"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/telephony"
)

var amount = regexp.MustCompile(`^-?\d{1,15}(\.\d{1,6})?$`)

// currencies are the signs that name one currency. The dollar names several; CallRail does not say which.
var currencies = map[string]string{"€": "EUR", "£": "GBP", "$": ""}

// money reads a call's value and takes the field if it is one.
func (d *decoder) money(name string) *call.Money {
	v := d.f.Peek(name)
	m := readMoney(v)
	if m != nil || v == nil || dash(v) {
		d.f.Drop(name)
	}
	return m
}

// readMoney reads 12.5, "12.50" and "$1,200.00".
func readMoney(v any) *call.Money {
	s, ok := telephony.TextOf(v)
	if !ok {
		return nil
	}
	m := &call.Money{}
	for sign, code := range currencies {
		if rest, found := strings.CutPrefix(s, sign); found {
			s, m.Currency = strings.TrimSpace(rest), code
			break
		}
	}
	m.Amount = strings.ReplaceAll(s, ",", "")
	if !amount.MatchString(m.Amount) {
		return nil
	}
	return m
}

// dash tells whether v is the sign with which CallRail writes that there is no value. Its pages print it as "–".
func dash(v any) bool {
	s, _ := telephony.TextOf(v)
	return s == "--" || s == "–" || s == "-"
}
