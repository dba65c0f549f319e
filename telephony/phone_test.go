package telephony

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePhone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		raw     string
		regions []string
		want    Phone
	}{
		{"+12148654559", nil, Phone{Number: "+12148654559"}},
		{"770-555-5555", []string{"US"}, Phone{Number: "+17705555555"}},
		{"(770) 555-5555", []string{"", "us"}, Phone{Number: "+17705555555"}},
		{"770-123-4567", []string{"US"}, Phone{Number: "+17701234567"}},
		{"1 770 555 5555", []string{"US"}, Phone{Number: "+17705555555"}},
		{"770-555-5555", nil, Phone{}},
		{"+1 (770) 555-5555 x123", nil, Phone{Number: "+17705555555", Extension: "123"}},
		{"+17705555555;ext=9", nil, Phone{Number: "+17705555555", Extension: "9"}},
		{"770.555.5555 ext. 12", []string{"US"}, Phone{Number: "+17705555555", Extension: "12"}},
		{"tel:+17705555555", nil, Phone{Number: "+17705555555"}},
		{"x302", []string{"GB"}, Phone{Extension: "302"}},
		{"302", []string{"GB"}, Phone{}},
		{"020 7946 0958", []string{"GB"}, Phone{Number: "+442079460958"}},
		{"+44 20 7946 0958", []string{"US"}, Phone{Number: "+442079460958"}},
		{"919800000125", []string{"IN"}, Phone{Number: "+919800000125"}},
		{"09800000125", []string{"IN"}, Phone{Number: "+919800000125"}},
		{"0607297260058", []string{"IN"}, Phone{}},
		{"Extension-0602141810347", []string{"IN"}, Phone{}},
		{"1-800-FLOWERS", []string{"US"}, Phone{}},
		{"user_1234567890", []string{"US"}, Phone{}},
		{"+", nil, Phone{}},
		{"+1", nil, Phone{}},
		{"anonymous", nil, Phone{Withheld: true}},
		{"Restricted", nil, Phone{Withheld: true}},
		{"UNAVAILABLE", nil, Phone{Withheld: true}},
		{"blocked", nil, Phone{Withheld: true}},
		{"+266696687", nil, Phone{Withheld: true}},
		{"+7378742833", nil, Phone{Withheld: true}},
		{"+86282452253", nil, Phone{Withheld: true}},
		{"737-874-2833", []string{"US"}, Phone{Number: "+17378742833"}},
		{"+12345", nil, Phone{}},
		{"+99912345678", nil, Phone{}},
		{"+5551234", []string{"US"}, Phone{}},
		{"５５５", []string{"US"}, Phone{}},
		{"", nil, Phone{}},
	} {
		tc.want.Raw = tc.raw
		require.Equal(t, tc.want, ParsePhone(tc.raw, tc.regions...), tc.raw)
	}
	require.Equal(t, Phone{Number: "+17705555555", Raw: "+17705555555"}, ParsePhone(" +1770555\x005555\n"))
	long := ParsePhone("+"+strings.Repeat("1", 5000), "US")
	require.Empty(t, long.Number)
	require.Len(t, long.Raw, 256)
}

func FuzzParsePhone(f *testing.F) {
	for _, s := range []string{"+12148654559", "770-555-5555 x12", "tel:+1;ext=3", "anonymous", "\xff", "+266696687"} {
		f.Add(s, "US")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		p := ParsePhone(raw, region)
		if p.Number == "" {
			return
		}
		require.Regexp(t, `^\+[1-9]\d{4,16}$`, p.Number)
		require.Equal(t, p.Number, ParsePhone(p.Number).Number, "a number that was read is read again")
	})
}
