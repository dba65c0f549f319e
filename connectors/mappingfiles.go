package connectors

import (
	"embed"
	"strings"
)

// DefaultMappings gives the default documents by object, for Info.Mappings: files has one mapping_OBJECT.yaml for each.
func DefaultMappings(files embed.FS) map[string][]byte {
	out := map[string][]byte{}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the root of an embedded folder is always there
	}
	for _, e := range entries {
		object := strings.TrimSuffix(strings.TrimPrefix(e.Name(), "mapping_"), ".yaml")
		if out[object], err = files.ReadFile(e.Name()); err != nil {
			panic(err) // so is what it lists
		}
	}
	return out
}
