// Package doctree reads the documents that people edit, in YAML or JSON, into one tree whose nodes know their lines. What a
// document means is its reader's business.
package doctree

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxDepth bounds the nesting of a JSON document; no format of ours needs more than a third of it.
const MaxDepth = 32

// Parse reads the one document that data holds. JSON has its own reader because YAML reads its escapes otherwise. The error
// is a part of a sentence: "it is empty". The size of data is the caller's to bound.
func Parse(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, errors.New("the text cannot be read")
		}
	}()
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
		return parseJSON(data)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document")
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		return doc.Content[0], nil
	}
	return nil, errors.New("it is empty")
}

func parseJSON(data []byte) (*yaml.Node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	line, at := 1, 0
	var value func(depth int) (*yaml.Node, error)
	value = func(depth int) (*yaml.Node, error) {
		if depth > MaxDepth {
			return nil, errors.New("it is nested too deeply")
		}
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		end := int(dec.InputOffset())
		line += bytes.Count(data[at:end], []byte{'\n'})
		at = end
		n := &yaml.Node{Kind: yaml.ScalarNode, Line: line}
		switch tok := tok.(type) {
		case json.Delim:
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
			if tok == '{' {
				n.Kind, n.Tag = yaml.MappingNode, "!!map"
			}
			for dec.More() {
				child, err := value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.Content = append(n.Content, child)
			}
			_, err = dec.Token()
			return n, err
		case string:
			n.Tag, n.Value = "!!str", tok
		case json.Number:
			n.Tag, n.Value = "!!float", tok.String()
			if _, err := tok.Int64(); err == nil {
				n.Tag = "!!int"
			}
		case bool:
			n.Tag, n.Value = "!!bool", strconv.FormatBool(tok)
		case nil:
			n.Tag, n.Value = "!!null", "null"
		}
		return n, nil
	}
	return value(0)
}
