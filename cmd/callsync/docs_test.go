package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

var update = flag.Bool("update", false, "write the parts of the docs that are made from code")

// The steps in docs/phones are those of the source's page, word for word.
func TestSetupStepsInTheDocs(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- steps, made by go test ./cmd/callsync -update -->\n", "<!-- /steps -->"
	for _, info := range providers().Infos() {
		t.Run(info.ID, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("..", "..", "docs", "phones", info.ID+".md")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			before, rest, ok := strings.Cut(string(text), begin)
			require.True(t, ok, "%s has no %q", file, begin)
			_, after, ok := strings.Cut(rest, end)
			require.True(t, ok, "%s has no %q", file, end)
			want := before + begin + telephony.Setup(info.Steps) + end + after
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
				return
			}
			require.Equal(t, want, string(text), "run go test ./cmd/callsync -run SetupSteps -update")
		})
	}
}
