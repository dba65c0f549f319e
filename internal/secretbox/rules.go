package secretbox

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode/utf8"
)

// commonPasswords are those that guessing begins with, of the length that is asked for here.
//
//go:embed common_passwords.txt
var commonPasswords string

// RefusePassword is the one rule for passwords, wherever they come from: a form, standard input, the environment. It says in
// a sentence for people why a password cannot be taken by who signs in with email; empty if it can. Length is what counts: no
// rule asks for digits or signs, as NIST SP 800-63B advises.
func RefusePassword(password, email string) string {
	switch folded, mail := strings.ToLower(password), strings.ToLower(strings.TrimSpace(email)); {
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Sprintf("Choose a password of at least %d characters. Some words in a row do well.", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Sprintf("This password is too long: at most %d bytes are taken.", MaxPassword)
	case mail != "" && (folded == mail || strings.TrimRight(folded, "0123456789!.") == mail):
		return "Your e-mail address is no password: it is the first thing that others try."
	case common(folded):
		return "This password is one of those that are tried first. Choose another; some words in a row do well."
	}
	return ""
}

func common(folded string) bool {
	if strings.Count(folded, folded[:1]) == len(folded) {
		return true
	}
	for line := range strings.Lines(commonPasswords) {
		if strings.TrimSpace(line) == folded {
			return true
		}
	}
	return false
}
