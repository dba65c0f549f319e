package telephonytest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/telephony"
)

// randomRequests is how many made-up requests a provider is checked with.
const randomRequests = 400

// oddValues are what no phone system should send in a field, and some do.
var oddValues = []any{
	nil, "", " ", "0", "-1", -1, 0, 1, 1.5, 1e300, true, false, "true", "null", "NaN", []any{}, map[string]any{}, []any{nil}, "\u0000", "\xff\xfe",
	strings.Repeat("9", 300), strings.Repeat("é", 5000), `{"a":1}`, `[{"id":1}]`, "0000-00-00 00:00:00", "9999-12-31 23:59:59", "01/03/5026 15:04:05", "1e10",
	"1772357645", "253402300799", "99999999999999999999", "https://h/%zz?token=x", "$name", "{{%%name%%}}", "99:99:99", "+", "%2B", "[", "{", `"`, "Extension-12",
	"anonymous", "+266696687", "\u202e", "Array", "[object Object]",
}

// checkRandom sends requests whose fields hold one another's values and odd ones, in every encoding. They are the same each
// time.
func checkRandom(t *testing.T, p telephony.Provider, cases []Case) {
	m := mixer{rand: rand.New(rand.NewPCG(1, 2))}
	bySettings := map[int]telephony.Settings{}
	var of []int
	for i, c := range cases {
		if body := object(c.Request); body != nil {
			m.learn(body)
			bySettings[i], of = Settings(p), append(of, i)
			if c.Settings != nil {
				bySettings[i] = *c.Settings
			}
		}
	}
	if len(of) == 0 {
		t.Skip("no case is JSON")
	}
	slices.Sort(m.names)
	encodings := []Encoding{JSON, JSON, JSON, Brackets, Dots, Texts, Multipart, Query, QueryText}
	for n := range randomRequests {
		i := of[m.rand.IntN(len(of))]
		body, _ := m.mix(deepCopy(object(cases[i].Request)), 0).(map[string]any)
		as := encodings[m.rand.IntN(len(encodings))]
		r := Encode(cases[i].Request.Event, body, as)[string(as)]
		require.NotPanics(t, func() { TryDecode(t, p, r, bySettings[i]) }, "request %d of %s as %s: %s %s", n, cases[i].Name, as, r.RawQuery, r.Body)
	}
}

// mixer makes objects of the names and values of others.
type mixer struct {
	rand   *rand.Rand
	names  []string
	values []any
}

// learn takes the names and values of an object, in an order that is always the same.
func (m *mixer) learn(v any) {
	m.values = append(m.values, v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			m.names = append(m.names, k)
			m.learn(v[k])
		}
	case []any:
		for _, item := range v {
			m.learn(item)
		}
	}
}

func (m *mixer) value() any {
	if m.rand.IntN(2) == 0 {
		return deepCopy(m.values[m.rand.IntN(len(m.values))])
	}
	return oddValues[m.rand.IntN(len(oddValues))]
}

// mix changes one or some things in v.
func (m *mixer) mix(v any, depth int) any {
	const deep = 6
	switch v := v.(type) {
	case map[string]any:
		for range 1 + m.rand.IntN(4) {
			name := m.names[m.rand.IntN(len(m.names))]
			if have := slices.Sorted(maps.Keys(v)); len(have) > 0 && m.rand.IntN(2) == 0 {
				name = have[m.rand.IntN(len(have))]
			}
			switch m.rand.IntN(6) {
			case 0:
				delete(v, name)
			case 1:
				v[fmt.Sprint(m.value())] = m.value()
			case 2, 3:
				if depth < deep {
					v[name] = m.mix(v[name], depth+1)
				}
			default:
				v[name] = m.value()
			}
		}
		return v
	case []any:
		if len(v) == 0 || m.rand.IntN(3) == 0 {
			return append(v, m.value())
		}
		i := m.rand.IntN(len(v))
		v[i] = m.mix(v[i], depth+1)
		return v
	case string:
		switch b := []byte(v); m.rand.IntN(4) {
		case 0:
			return string(b[:m.rand.IntN(len(b)+1)])
		case 1:
			return v + fmt.Sprint(m.value())
		case 2:
			if len(b) > 0 {
				b[m.rand.IntN(len(b))] = byte(m.rand.IntN(256))
			}
			return string(b)
		}
	}
	return m.value()
}
