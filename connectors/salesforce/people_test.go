package salesforce_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/connectors/salesforce"
	"github.com/callsync/callsync/connectors/salesforce/salesforcefake"
)

var query = connectors.PhoneQuery{E164: "+14155550101", National: "4155550101", Country: "US", Objects: []string{"contact", "lead", "company"}}

func found(t *testing.T, x *org, q connectors.PhoneQuery) []connectors.Contact {
	t.Helper()
	out, err := x.Session.(connectors.ContactMatcher).FindContacts(t.Context(), q)
	require.NoError(t, err)
	return out
}

func TestSearchForms(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{"+14155550101", "(415) 555-0101", "1-415-555-0101", "415.555.0101", "001 415 555 0101"} {
		for _, narrow := range []bool{false, true} {
			x := newOrg(t, salesforcefake.Options{NarrowSearch: narrow})
			x.Define("Contact", "Second_Phone__c", "phone")
			id := x.Add("Contact", salesforcefake.Record{"LastName": "Ada", "Second_Phone__c": stored})
			x.Add("Contact", salesforcefake.Record{"LastName": "Fax", "Fax": stored})
			list := found(t, x, query)
			require.NotEmpty(t, list, stored)
			require.Equal(t, id, list[0].ID)
			require.Equal(t, []string{stored}, list[0].Numbers)
		}
	}
}

// A server that describes nothing is asked for the standard fields.
func TestSearchWithoutDescription(t *testing.T) {
	t.Parallel()
	f := salesforcefake.New(salesforcefake.Options{Tokens: []string{token}, SearchLag: -1})
	id := f.Add("Contact", salesforcefake.Record{"LastName": "Ada", "MobilePhone": "4155550101"})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/describe") {
			http.NotFound(w, r)
			return
		}
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	session, err := salesforce.New().Open(settings(s.URL))
	require.NoError(t, err)
	list, err := session.(connectors.ContactMatcher).FindContacts(t.Context(), query)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, id, list[0].ID)
}

func TestSearchRequests(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	require.Empty(t, found(t, x, query))
	require.Len(t, x.took(), 5, "three descriptions, and a plain search after the wide one")
	require.Empty(t, found(t, x, query))
	require.Len(t, x.took(), 2)
	x.Add("Lead", salesforcefake.Record{"LastName": "Grace", "Company": "x", "Phone": "415 555 0101", "IsConverted": false})
	require.Len(t, found(t, x, query), 1)
	require.Len(t, x.took(), 1)
	q := query
	q.E164, q.National = "+14155550999", "4155550999"
	require.Empty(t, found(t, x, q))
	require.Len(t, x.took(), 1, "the wide form works here")
	// An admin takes a field away: one more description, and all is well.
	x.Undefine("Lead", "MobilePhone")
	require.Len(t, found(t, x, query), 1)
	// The order is the policy's.
	x.Add("Contact", salesforcefake.Record{"LastName": "Ada", "Phone": "4155550101"})
	q = query
	q.Objects = []string{"lead", "contact"}
	require.Equal(t, "lead", found(t, x, q)[0].Object)
	q.Objects = []string{"contact", "lead"}
	require.Equal(t, "contact", found(t, x, q)[0].Object)
}

func TestConvertedAndMerged(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	lead := x.Add("Lead", salesforcefake.Record{"LastName": "Grace", "Company": "Navy", "Phone": "4155550101", "IsConverted": false})
	contact := x.Convert(lead)
	list := found(t, x, query)
	for _, c := range list {
		require.NotEqual(t, "lead", c.Object, "a converted lead is no candidate")
	}
	winner := x.Add("Contact", salesforcefake.Record{"LastName": "Hopper"})
	x.Merge("Contact", contact, winner)
	now, ok, err := x.Session.(connectors.ContactFollower).FollowContact(t.Context(), connectors.Ref{Object: "lead", ID: lead})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, connectors.Ref{Object: "contact", ID: winner}, now, "converted, then merged")
	for _, id := range []string{"", "42", "003' OR Id != '", winner, strings.Repeat("0", 18)} {
		_, ok, err = x.Session.(connectors.ContactFollower).FollowContact(t.Context(), connectors.Ref{Object: "lead", ID: id})
		require.NoError(t, err, "an id of something else is nobody")
		require.False(t, ok)
	}
}

func TestPersonAccounts(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{PersonAccounts: true})
	account := x.Add("Account", salesforcefake.Record{"Name": "Ada Lovelace", "PersonMobilePhone": "+1 415 555 0101", "IsPersonAccount": true})
	person := x.Add("Contact", salesforcefake.Record{"LastName": "Lovelace", "AccountId": account})
	x.Set("Account", account, salesforcefake.Record{"PersonContactId": person})
	for _, objects := range [][]string{{"contact"}, {"contact", "lead", "company"}, nil} {
		q := query
		q.Objects = objects
		list := found(t, x, q)
		require.Len(t, list, 1)
		require.Equal(t, connectors.Ref{Object: "contact", ID: person}, list[0].Ref)
	}
}

func TestFieldLevelSecurity(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{Hidden: map[string][]string{"Contact": {"MobilePhone", "AccountId"}, "Lead": {"Phone", "MobilePhone", "IsConverted"}, "Task": {"CallObject"}}})
	x.Add("Contact", salesforcefake.Record{"LastName": "Ada", "Phone": "4155550101"})
	require.Len(t, found(t, x, query), 1)
	w := write("key", "", "x", noon)
	w.Fields["CallObject"] = "x"
	_, err := x.WriteCall(t.Context(), w)
	e := asError(t, err)
	require.Equal(t, connectors.Invalid, e.Class)
	require.Equal(t, "CallObject", e.Field)
	require.Contains(t, e.Public, "may not see it")
	schema, err := x.Session.(connectors.SchemaDescriber).Describe(t.Context(), "call")
	require.NoError(t, err)
	for _, f := range schema.Fields {
		require.NotEqual(t, "CallObject", f.Name)
	}
}

func TestDuplicateRules(t *testing.T) {
	t.Parallel()
	make := func(x *org, key, name, number, email string) (connectors.Written, error) {
		fields := map[string]any{"FirstName": "Ada", "LastName": name, "Phone": number}
		if email != "" {
			fields["Email"] = email
		}
		return x.Session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: key, Fields: fields})
	}
	x := newOrg(t, salesforcefake.Options{DuplicateRules: true})
	ada := x.Add("Contact", salesforcefake.Record{"FirstName": "Ada", "LastName": "Lovelace", "MobilePhone": "(415) 555-0101", "Email": "ada@example.com"})
	_, err := make(x, "k1", "Lovelace", "+14155550101", "")
	e := asError(t, err)
	require.Equal(t, connectors.Conflict, e.Class)
	require.Equal(t, ada, e.RemoteID, "the same number is the same person")
	_, err = make(x, "k2", "Byron", "+14155550102", "ADA@example.com")
	require.NoError(t, err, "the rule compares e-mails as they are written")
	_, err = make(x, "k3", "King", "+14155550103", "ada@example.com")
	require.Equal(t, ada, asError(t, err).RemoteID)
	out, err := make(x, "k4", "Lovelace", "+14155550104", "")
	require.NoError(t, err, "only the name is alike")
	require.True(t, out.Created)
	require.Len(t, x.ByKey("Contact", "k4"), 1)

	x = newOrg(t, salesforcefake.Options{BlockDuplicates: true})
	x.Add("Contact", salesforcefake.Record{"FirstName": "Ada", "LastName": "Lovelace", "Phone": "4155550101"})
	_, err = make(x, "k5", "Lovelace", "+14155550105", "")
	e = asError(t, err)
	require.Equal(t, connectors.Conflict, e.Class)
	require.Empty(t, e.RemoteID)
	require.Contains(t, e.Public, "duplicate rule")
}

// An org without our field on contacts gets them all the same, each once.
func TestContactsWithoutKey(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	for _, object := range []string{"Contact", "Lead"} {
		x.Undefine(object, salesforce.KeyField)
	}
	r, err := x.Session.(connectors.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.True(t, r.OK(), "%+v", r.Checks)
	creator := x.Session.(connectors.ContactCreator)
	for i, object := range []string{"contact", "lead"} {
		w := connectors.ContactWrite{Key: object, Object: object, Fields: map[string]any{"LastName": "O'Hara", "Phone": "+14155550101"}}
		x.took()
		out, err := creator.CreateContact(t.Context(), w)
		require.NoError(t, err)
		require.True(t, out.Created)
		require.Len(t, x.took(), 3)
		again, err := creator.CreateContact(t.Context(), w)
		require.NoError(t, err)
		require.False(t, again.Created)
		require.Equal(t, out.RemoteID, again.RemoteID)
		require.Len(t, x.took(), 1, "it is remembered that the key is missing")
		_, ok, err := creator.FindContactByKey(t.Context(), w.Key)
		require.NoError(t, err)
		require.False(t, ok)
		require.Len(t, x.Records([]string{"Contact", "Lead"}[i]), 1)
	}
}

// The API runs assignment rules unless it is told not to, whatever owner the record names.
func TestAssignmentRules(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	owners := []string{"queue@example.com", "agent@example.com"}
	for _, u := range salesforcefake.New(salesforcefake.Options{Owners: owners}).Records("User") {
		ids[str(u, "Email")] = str(u, "Id")
	}
	queue, agent := ids[owners[0]], ids[owners[1]]
	x := newOrg(t, salesforcefake.Options{AssignTo: queue, Owners: owners})
	for _, owner := range []string{"", agent} {
		fields, ticket, want := map[string]any{"LastName": "Ada"}, map[string]any{"Subject": "Complaint"}, queue
		if owner != "" {
			fields["OwnerId"], ticket["OwnerId"], want = owner, owner, owner
		}
		_, err := x.Session.(connectors.ContactCreator).CreateContact(t.Context(), connectors.ContactWrite{Key: "l" + owner, Object: "lead", Fields: fields})
		require.NoError(t, err)
		_, err = x.Session.(connectors.TicketWriter).WriteTicket(t.Context(), connectors.RecordWrite{Key: "t" + owner, Fields: ticket})
		require.NoError(t, err)
		lead, _ := one(x.Fake, "Lead", "l"+owner)
		require.Equal(t, want, str(lead, "OwnerId"))
		require.Equal(t, "[not provided]", str(lead, "Company"))
		ticketRecord, _ := one(x.Fake, "Case", "t"+owner)
		require.Equal(t, want, str(ticketRecord, "OwnerId"))
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	list := func(s connectors.Session) []connectors.DispositionOption {
		out, err := s.(connectors.DispositionLister).Dispositions(t.Context())
		require.NoError(t, err)
		return out
	}
	x := newOrg(t, salesforcefake.Options{RecordType: "0125e000000AbCdEAA"})
	require.Empty(t, list(x.Session))
	for _, v := range []string{"Sale", "No interest", "Sale"} {
		x.Add("Task", salesforcefake.Record{"Subject": "Call", "CallDisposition": v})
	}
	require.Len(t, list(x.open(t)), 2, "what people have written")
	x.Define("Task", "Outcome__c", "picklist", "Sale", "No interest", "Retired")
	options := list(x.open(t, "disposition_field", "Outcome__c"))
	require.Equal(t, []connectors.DispositionOption{{ID: "Sale", Label: "Sale"}, {ID: "No interest", Label: "No interest"}}, options, "those of the record type")
	schema, err := x.Session.(connectors.SchemaDescriber).Describe(t.Context(), "call")
	require.NoError(t, err)
	for _, f := range schema.Fields {
		if f.Name == "Outcome__c" {
			require.Len(t, f.Options, 2)
		}
	}
	// A record type that the UI API does not know: the description has all values.
	require.Len(t, list(x.open(t, "disposition_field", "Outcome__c", "record_type", "0125e000000Other")), 3)
}

func TestVerifyFreshOrg(t *testing.T) {
	t.Parallel()
	verify := func(x *org) connectors.Report {
		r, err := x.Session.(connectors.Verifier).Verify(t.Context())
		require.NoError(t, err)
		return r
	}
	text := func(r connectors.Report) string {
		var all []string
		for _, c := range r.Checks {
			all = append(all, c.Name+": "+c.Text)
		}
		return strings.Join(all, "\n")
	}
	x := newOrg(t, salesforcefake.Options{NoFields: true})
	r := verify(x)
	require.False(t, r.OK())
	require.Empty(t, r.Idempotency)
	require.Contains(t, text(r), "Object Manager → Activity → Fields")
	_, err := x.WriteCall(t.Context(), write("key", "", "x", noon))
	require.Equal(t, salesforce.KeyField, asError(t, err).Field)

	x = newOrg(t, salesforcefake.Options{NoFields: true, MayCustomize: true})
	r = verify(x)
	require.True(t, r.OK(), text(r))
	require.Equal(t, connectors.KeyedUpsert, r.Idempotency)
	require.Contains(t, text(r), "callsync has added its key")
	_, err = x.WriteCall(t.Context(), write("key", "", "x", noon))
	require.NoError(t, err)
	require.Equal(t, "Fake Org", strings.Split(r.Account, ",")[0])
	before := x.Requests()["POST tooling"]
	verify(x)
	require.Equal(t, before, x.Requests()["POST tooling"], "nothing is made twice")

	// A field that is there but does not keep keys single.
	x = newOrg(t, salesforcefake.Options{NoFields: true})
	x.Define("Task", salesforce.KeyField, "string")
	require.Contains(t, text(verify(x)), "no external ID")
	x = newOrg(t, salesforcefake.Options{ReadOnly: map[string][]string{"Task": {salesforce.KeyField, "CallType"}}, Hidden: map[string][]string{"Contact": {"Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"}}})
	r = verify(x)
	require.Contains(t, text(r), "may see the field "+salesforce.KeyField+" but not write it")
	require.Contains(t, text(r), "CallType")
	require.Contains(t, text(r), "sees no phone field of Contact")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	open := func(change func(connectors.Settings)) error {
		s := settings("https://acme.my.salesforce.com")
		change(s)
		_, err := salesforce.New().Open(s)
		return err
	}
	require.NoError(t, open(func(s connectors.Settings) {
		s.Config["base_url"] = "https://acme.lightning.force.com/lightning/page/home"
	}))
	for field, value := range map[string]string{"base_url": "https://login.salesforce.com", "key_field": "a b", "disposition_field": "x'", "record_type": "no id", "time_zone": "Mars/Base",
		"reserve_percent": "all", "api_version": "newest"} {
		err := open(func(s connectors.Settings) { s.Config[field] = value })
		require.Equal(t, field, asError(t, err).Field, value)
	}
	require.NoError(t, open(func(s connectors.Settings) {
		s.Config["base_url"], s.Config["instance_url"] = "https://login.salesforce.com", "https://acme.my.salesforce.com"
	}))
	require.Equal(t, map[string]string{"instance_url": "https://acme.my.salesforce.com"},
		salesforce.Learn("https://test.salesforce.com", map[string]any{"instance_url": "https://acme.my.salesforce.com/"}))
	for _, elsewhere := range []string{"https://evil.example", "http://acme.my.salesforce.com", "https://salesforce.com.evil.example", ""} {
		require.Nil(t, salesforce.Learn("https://login.salesforce.com", map[string]any{"instance_url": elsewhere}))
	}
	require.Nil(t, salesforce.Learn("https://acme.my.salesforce.com", map[string]any{"instance_url": "https://other.my.salesforce.com"}), "the address that an admin typed stays")
	a := salesforce.New().(connectors.Authorizer)
	for field, config := range map[string]map[string]string{
		"base_url":   {"base_url": "https://login.salesforce.com", "client_id": "k"},
		"oauth_flow": {"base_url": "https://acme.my.salesforce.com", "client_id": "k", "oauth_flow": "password"},
		"client_id":  {"base_url": "https://acme.my.salesforce.com", "client_id": "k k"},
	} {
		_, _, err := a.OAuth(connectors.Settings{Config: config, Secrets: map[string]string{"client_secret": "s"}})
		require.Equal(t, field, asError(t, err).Field)
	}
	_, ok, err := a.OAuth(settings("https://acme.my.salesforce.com"))
	require.NoError(t, err)
	require.False(t, ok, "a static token")
}

// A task that somebody closed in a status of the org's own stays as it is.
func TestTaskOpen(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	out, err := x.Session.(connectors.TaskWriter).WriteTask(t.Context(), connectors.RecordWrite{Key: "t", Fields: map[string]any{"Subject": "Call back", "ReminderDateTime": time.Now().Add(time.Hour), "IsReminderSet": true}})
	require.NoError(t, err)
	x.Set("Task", out.RemoteID, salesforcefake.Record{"Status": "Completed"})
	x.took()
	require.NoError(t, x.Session.(connectors.TaskWriter).CompleteTask(t.Context(), out.RemoteID))
	require.Len(t, x.took(), 1, "it is read and not written")
}

// People tell candidates apart by e-mail and company, which come with the search.
func TestCandidatesAreToldApart(t *testing.T) {
	t.Parallel()
	x := newOrg(t, salesforcefake.Options{})
	x.Add("Contact", salesforcefake.Record{"LastName": "Ada", "Phone": "+14155550101", "Email": "ada@example.com"})
	x.Add("Lead", salesforcefake.Record{"LastName": "Grace", "Company": "Hopper & Co", "Phone": "+14155550101", "Email": "grace@example.com"})
	list := found(t, x, query)
	require.Len(t, list, 2)
	for i, want := range []struct{ email, company string }{{"ada@example.com", ""}, {"grace@example.com", "Hopper & Co"}} {
		require.Equal(t, []string{want.email}, list[i].Emails)
		require.Equal(t, want.company, list[i].Company)
		require.Equal(t, []string{"+14155550101"}, list[i].Numbers, "they are no numbers")
	}
}
