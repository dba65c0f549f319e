package admin

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Text must stand out from its ground by 4.5 to 1 in both schemes (WCAG 2.2, 1.4.3), and borders of controls by 3 to 1.
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := staticFiles.ReadFile("static/app.css")
	require.NoError(t, err)
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	require.Len(t, schemes, 2)
	for i, scheme := range []string{"light", "dark"} {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`).FindAllStringSubmatch(schemes[i][1], -1) {
			colour[m[1]] = m[2]
		}
		check := func(least float64, ink string, grounds ...string) {
			for _, ground := range grounds {
				require.NotEmpty(t, colour[ink], ink)
				require.NotEmpty(t, colour[ground], ground)
				require.GreaterOrEqual(t, contrast(colour[ink], colour[ground]), least, "%s: %s on %s", scheme, ink, ground)
			}
		}
		for _, ink := range []string{"text", "muted", "accent"} {
			check(4.5, ink, "ground", "surface", "sunken", "hover")
		}
		check(4.5, "accent-text", "accent")
		for _, tone := range []string{"done", "wait", "trouble", "idle", "live"} {
			check(4.5, tone, tone+"-ground")
		}
		for _, tone := range []string{"done", "wait", "trouble", "strong-line"} {
			check(3, tone, "surface")
		}
	}
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(hex string) float64 {
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	var r, g, b uint8
	fmt.Sscanf(hex, "%02x%02x%02x", &r, &g, &b)
	linear := func(c uint8) float64 {
		v := float64(c) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
