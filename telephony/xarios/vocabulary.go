package xarios

import (
	"strings"

	"github.com/callsync/callsync/telephony"
)

// vocabulary are the fields of the vendor's tables and of its example, which has some more.
var vocabulary = telephony.NewVocabulary(nil, paths()...)

func paths() []string {
	out := strings.Fields("triggerid id tenantid customdata")
	cdr := strings.Fields(`id cdrid cdr_id sessionid dtype sver pbxid pbxname tz start answer end dur ring talk hold park lost lostinpark aban ans short cause dir type t2t
		clinum cliname cliloc cliarea clistate clictry ddinum ddiname rteid rtename frnggroupname lrnggroupname lrggroupname ansgroupname
		hasrec rate ratecost rateband ratename recordingids recordingid tags`)
	for _, place := range []string{"frng", "lrng", "lrg", "ans", "lans"} {
		for _, who := range []string{"dev", "usr", "agt"} {
			cdr = append(cdr, place+who+"num", place+who+"name")
		}
	}
	contact := strings.Fields(`title fullname companyname jobtitle phone phone1 phone2 phone3 phone4 email email1 email2 email3 email4 crmid
		field1 field2 field3 field4 field5 field6 field7 field8 field9 field10`)
	for _, list := range []string{"directorymatches[].", "directorymatch[]."} {
		for _, name := range contact {
			cdr = append(cdr, list+name)
		}
		// Inside of "fields" the names are the directory's own.
		for _, name := range strings.Fields("dirname dirid dirtype contactid fields") {
			cdr = append(cdr, list+name)
		}
	}
	for _, name := range cdr {
		out = append(out, fieldCDR+"."+name)
	}
	return out
}

// unknown are the fields that Xarios has not published: around the call data and in it.
func (d *decoder) unknown() []telephony.Unknown {
	d.p.top.Drop(fieldCDR)
	inside := d.f.UnknownBelow(vocabulary, fieldCDR)
	for i := range inside {
		if d.p.bare {
			inside[i].Path = strings.TrimPrefix(inside[i].Path, fieldCDR+".")
		}
	}
	return append(d.p.top.Unknown(vocabulary), inside...)
}
