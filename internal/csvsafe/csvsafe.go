// Package csvsafe writes CSV that spreadsheets open without running what strangers have put into it.
package csvsafe

import (
	"encoding/csv"
	"io"
	"strings"
)

// Text is s as a spreadsheet takes it for text: what would begin a formula gets an apostrophe in front. See OWASP, "CSV
// Injection", for which characters those are. A plain E.164 number ("+14155550100") has one, too: "+" begins a formula.
func Text(s string) string {
	if strings.TrimLeft(s, " ") != "" && strings.ContainsRune("=+-@\t\r\n", rune(strings.TrimLeft(s, " ")[0])) {
		return "'" + s
	}
	return s
}

// Writer writes rows of safe text.
type Writer struct{ csv *csv.Writer }

// NewWriter writes to w in UTF-8 with the mark at its beginning by which spreadsheets know it.
func NewWriter(w io.Writer) (*Writer, error) {
	if _, err := io.WriteString(w, "\uFEFF"); err != nil {
		return nil, err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true // RFC 4180
	return &Writer{c}, nil
}

// Write writes one row.
func (w *Writer) Write(cells ...string) error {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = Text(c)
	}
	return w.csv.Write(safe)
}

// Flush writes what is still held.
func (w *Writer) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}
