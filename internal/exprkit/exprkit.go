// Package exprkit has what the expression languages of callsync share: bounded regular expressions, faults without values,
// and the name that was most likely meant. The languages themselves differ in kind: that of package mappings has typed
// fields and runs on the engine of expr-lang/expr, that of generic phone systems has fields that nobody declared.
package exprkit

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"runtime"
	"strings"
)

// MaxPattern is the most instructions of a compiled regular expression. The engine's time is linear in the text, but also
// in them, and a{1000} makes many.
const MaxPattern = 2000

// ErrPatternTooLarge is the error of a regular expression with more than MaxPattern instructions.
var ErrPatternTooLarge = errors.New("the regular expression is too large")

// Pattern compiles a regular expression (RE2) of bounded size and tells how many instructions it has. Errors:
// ErrPatternTooLarge, those of regexp.
func Pattern(source string) (re *regexp.Regexp, instructions int, err error) {
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, 0, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, 0, err
	}
	if len(prog.Inst) > MaxPattern {
		return nil, 0, ErrPatternTooLarge
	}
	re, err = regexp.Compile(source)
	return re, len(prog.Inst), err
}

// Fault describes a panic or an error without the values that its own text may hold; the runtime's errors hold none.
func Fault(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// maxName is the longest name for which a near one is looked for; the work is its square.
const maxName = 100

// Nearest returns the one of names that name was most likely meant to be, empty if none is near: with few letters wrong,
// else the first that begins with it.
func Nearest(name string, names []string) string {
	if len(name) > maxName {
		return ""
	}
	name = strings.ToLower(name)
	best, most := "", max(1, len(name)/3)
	for _, n := range names {
		if len(n) > maxName {
			continue
		}
		if d := distance(name, strings.ToLower(n)); d <= most {
			best, most = n, d-1
		} else if best == "" && len(name) > 3 && strings.HasPrefix(n, name) {
			best = n
		}
	}
	return best
}

// distance is the number of edits (insert, delete, replace, swap of neighbours) between a and b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
