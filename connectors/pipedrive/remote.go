package pipedrive

import (
	"strings"
)

// record is the id of a call's record, as callsync keeps it: the activity's id, and after a colon the call log's. Where the
// second is unknownLog, a call log was asked for and no answer came; with noLog Pipedrive does not let us make one. A call
// log without an activity has nothing before the colon.
type record struct {
	activity, log string
}

const (
	unknownLog = "?"
	noLog      = "-"
)

func parseRecord(id string) record {
	activity, log, _ := strings.Cut(id, ":")
	return record{activity, log}
}

func (r record) String() string {
	if r.log == "" {
		return r.activity
	}
	return r.activity + ":" + r.log
}

// logID is the call log's id; empty where there is none or it is not known.
func (r record) logID() string {
	if r.log == unknownLog || r.log == noLog {
		return ""
	}
	return r.log
}
