package pipedrive

// Unmarked takes callsync's mark off a note.
var Unmarked = unmarked

// Terms are what a number is searched by.
var Terms = terms

// Prices are the endpoints that callsync uses, "v2 GET /persons", and what it takes them to cost.
func Prices() map[string]int {
	out := map[string]int{}
	for _, e := range []endpoint{userMe, listUsers, createCallLog, readCallLog, listCallLogs, uploadRecording, uploadFile, listFiles, createNote,
		updateNote, listNotes, createLead, readLead, listLeads, leadFields, activityTypes, createActivity, readActivity, updateActivity,
		listActivities, createPerson, readPerson, listPersons, searchPersons, readOrganization, searchCompanies, listDeals, updateDeal,
		personFields, createField, companyFields, dealFields} {
		version := "v1"
		if e.v2 {
			version = "v2"
		}
		out[version+" "+e.method+" "+e.path] = e.cost
	}
	return out
}
