// Package docs carries this folder's documents, so that the product can show them.
package docs

import "embed"

// Files are the documents, by their paths below docs/.
//
//go:embed *.md adr/*.md crms/*.md phones/*.md images/*.png mapping-schema.json
var Files embed.FS
