package connectortest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/connectors"
)

// dropping serves a fake and loses the answers to the first n changes, after they were made.
func dropping(t *testing.T, target Target, crm CRM, n int32) connectors.Session {
	t.Helper()
	var left atomic.Int32
	left.Store(n)
	return serve(t, target, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target.isChange(r) && left.Add(-1) >= 0 {
			crm.Handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		crm.Handler.ServeHTTP(w, r)
	}))
}

func matches(info connectors.Info) []string {
	if len(info.Matches) == 0 {
		return []string{connectors.ObjectContact}
	}
	return info.Matches
}

// testContacts looks for numbers: in every object, on every page, and with what nobody has.
func testContacts(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	matcher, ok := session.(connectors.ContactMatcher)
	if !ok {
		t.Skip("the connector looks for no contacts")
	}
	need(t, crm.AddContact != nil)
	query := func(national string, objects ...string) connectors.PhoneQuery {
		return connectors.PhoneQuery{E164: "+1" + national, National: national, Country: "US", Objects: objects}
	}
	for i, object := range matches(target.Connector.Info()) {
		national := fmt.Sprintf("415555%04d", 100+i)
		ref := crm.AddContact(object, "Ada Lovelace", "+1"+national)
		require.Equal(t, object, ref.Object)
		found, err := matcher.FindContacts(t.Context(), query(national, object))
		require.NoError(t, err)
		c := find(found, ref)
		require.NotNil(t, c, "%s was not found by its number", object)
		require.True(t, slices.ContainsFunc(c.Numbers, func(n string) bool { return strings.Contains(digits(n), national) }), "%v", c.Numbers)
		require.NotEmpty(t, c.Name)
		found, err = matcher.FindContacts(t.Context(), query("2125550987", object))
		require.NoError(t, err)
		require.Nil(t, find(found, ref), "a number that nobody has")
	}
	found, err := matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: "+14155550100", National: "4155550100", Country: "US", Objects: []string{"planet"}})
	require.NoError(t, err, "an object that the CRM has not is passed over")
	require.Empty(t, found)
	for _, hostile := range []string{"*", "%", "' OR 1=1 --", `"`, "(", "&objects=all", "é"} {
		found, err := matcher.FindContacts(t.Context(), connectors.PhoneQuery{E164: hostile, National: hostile})
		if err == nil {
			require.Empty(t, found, hostile)
		} else {
			classOf(t, target, err)
		}
	}
	for i := range 130 {
		crm.AddContact(connectors.ObjectContact, fmt.Sprint("Many ", i), "+14155550777")
	}
	found, err = matcher.FindContacts(t.Context(), query("4155550777"))
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, c := range found {
		require.False(t, ids[c.ID], "a contact twice")
		ids[c.ID] = true
	}
	require.GreaterOrEqual(t, len(found), 130, "all pages")
}

// testEmails looks for e-mail addresses.
func testEmails(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	matcher, ok := session.(connectors.EmailMatcher)
	if !ok {
		t.Skip("the connector looks for no e-mail addresses")
	}
	require.NotNil(t, crm.AddEmailContact, "the session looks for e-mail addresses, but the target has no hook for it")
	ref := crm.AddEmailContact("Ada", "ada.lovelace@example.com")
	crm.AddEmailContact("Eve", "not.ada.lovelace@example.com")
	objects := matches(target.Connector.Info())
	found, err := matcher.FindContactsByEmail(t.Context(), connectors.EmailQuery{Email: "ada.lovelace@example.com", Objects: objects})
	require.NoError(t, err)
	c := find(found, ref)
	require.NotNil(t, c)
	require.True(t, slices.ContainsFunc(c.Emails, func(e string) bool { return strings.EqualFold(e, "ada.lovelace@example.com") }), "%v", c.Emails)
	for _, email := range []string{"nobody@example.com", "ada.lovelace@example.co", "", "*", "%@example.com", "a/../b@example.com", "a?b=c&d@example.com", "'@example.com"} {
		found, err := matcher.FindContactsByEmail(t.Context(), connectors.EmailQuery{Email: email, Objects: objects})
		if err != nil {
			classOf(t, target, err)
		}
		require.Nil(t, find(found, ref), email)
	}
	found, err = matcher.FindContactsByEmail(t.Context(), connectors.EmailQuery{Email: "ada.lovelace@example.com", Objects: []string{"planet"}})
	require.NoError(t, err)
	require.Empty(t, found)
}

func find(list []connectors.Contact, ref connectors.Ref) *connectors.Contact {
	for _, c := range list {
		if c.Ref == ref {
			return &c
		}
	}
	return nil
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// testContactOnce makes contacts by the protocol: after an answer that was lost, look before making another.
func testContactOnce(t *testing.T, target Target) {
	crm := target.New(t)
	if _, ok := serve(t, target, crm.Handler).(connectors.ContactCreator); !ok {
		t.Skip("the connector creates no contacts")
	}
	need(t, target.Contact != nil && crm.CountContacts != nil)
	info := target.Connector.Info()
	creates := info.Creates
	if len(creates) == 0 {
		creates = []string{connectors.ObjectContact}
	}
	for i, object := range creates {
		creator := serve(t, target, crm.Handler).(connectors.ContactCreator)
		key, name, number := "c-"+object, fmt.Sprintf("Grace Hopper%d", i), fmt.Sprintf("+1415555%04d", 200+i)
		out, err := creator.CreateContact(t.Context(), target.Contact(object, key, name, number))
		require.NoError(t, err)
		require.True(t, out.Created)
		require.NotEmpty(t, out.RemoteID)
		require.Equal(t, 1, crm.CountContacts(object, key))
		_, ok, err := creator.FindContactByKey(t.Context(), "c-nobody")
		require.NoError(t, err)
		require.False(t, ok)
		c, keyed, err := creator.FindContactByKey(t.Context(), key)
		require.NoError(t, err)
		if keyed {
			require.Equal(t, connectors.Ref{Object: object, ID: out.RemoteID}, c.Ref)
		} else {
			require.NotEqual(t, connectors.KeyedUpsert, info.Idempotency)
		}
		if info.Idempotency == connectors.KeyedUpsert {
			again, err := creator.CreateContact(t.Context(), target.Contact(object, key, name, number))
			if err != nil {
				e := classOf(t, target, err)
				require.Equal(t, connectors.Conflict, e.Class)
				again.RemoteID = e.RemoteID
			}
			require.Equal(t, out.RemoteID, again.RemoteID)
			require.False(t, again.Created)
			require.Equal(t, 1, crm.CountContacts(object, key))
		}
		lossy := dropping(t, target, crm, 1).(connectors.ContactCreator)
		key, number = key+"-lost", fmt.Sprintf("+1415555%04d", 300+i)
		w := target.Contact(object, key, "Lost "+name, number)
		_, err = lossy.CreateContact(t.Context(), w)
		require.Equal(t, connectors.UnknownOutcome, classOf(t, target, err).Class)
		if _, ok, err = lossy.FindContactByKey(t.Context(), key); !ok && keyed {
			require.NoError(t, err)
			_, err = lossy.CreateContact(t.Context(), w)
			require.NoError(t, err)
		}
		require.Equal(t, 1, crm.CountContacts(object, key))
	}
}

// testFollow asks what became of contacts.
func testFollow(t *testing.T, target Target) {
	crm := target.New(t)
	follower, ok := serve(t, target, crm.Handler).(connectors.ContactFollower)
	if !ok {
		t.Skip("the connector follows no contacts")
	}
	need(t, crm.AddContact != nil && crm.DeleteContact != nil)
	winner, loser := crm.AddContact(connectors.ObjectContact, "Ada", "+14155550188"), crm.AddContact(connectors.ObjectContact, "Ada L", "+14155550188")
	now, ok, err := follower.FollowContact(t.Context(), winner)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, winner, now)
	if crm.MergeContacts != nil {
		merged := crm.MergeContacts(loser, winner)
		for _, was := range []connectors.Ref{loser, winner} {
			now, ok, err = follower.FollowContact(t.Context(), was)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, merged, now)
		}
		winner = merged
	}
	crm.DeleteContact(winner)
	_, ok, err = follower.FollowContact(t.Context(), winner)
	require.NoError(t, err, "a contact that is gone is no error")
	require.False(t, ok)
}

// testOwners finds and lists users.
func testOwners(t *testing.T, target Target) {
	crm := target.New(t)
	session := serve(t, target, crm.Handler)
	resolver, canFind := session.(connectors.OwnerResolver)
	lister, canList := session.(connectors.OwnerLister)
	if !canFind && !canList {
		t.Skip("the connector knows no owners")
	}
	need(t, crm.AddOwner != nil)
	const many = 130
	for i := range many {
		crm.AddOwner(fmt.Sprintf("many%d@example.com", i), true)
	}
	crm.AddOwner("Ada.Lovelace@example.com", true)
	crm.AddOwner("left@example.com", false)
	if canFind {
		for _, email := range []string{"ada.lovelace@example.com", "Ada.Lovelace@Example.com", fmt.Sprintf("many%d@example.com", many-1)} {
			o, ok, err := resolver.FindOwner(t.Context(), email)
			require.NoError(t, err)
			require.True(t, ok && o.Active && o.ID != "", email)
			require.Equal(t, strings.ToLower(email), strings.ToLower(o.Email))
		}
		for _, email := range []string{"nobody@example.com", "", "*", "ada.lovelace@example.co", "left@example.com"} {
			o, ok, err := resolver.FindOwner(t.Context(), email)
			require.NoError(t, err)
			require.False(t, ok && o.Active, email)
		}
	}
	if canList {
		list, err := lister.Owners(t.Context())
		require.NoError(t, err)
		byMail := map[string]connectors.Owner{}
		for _, o := range list {
			require.NotEmpty(t, o.ID)
			if o.Email != "" {
				require.NotContains(t, byMail, strings.ToLower(o.Email), "an owner twice")
				byMail[strings.ToLower(o.Email)] = o
			}
		}
		for i := range many {
			require.True(t, byMail[fmt.Sprintf("many%d@example.com", i)].Active, "all pages")
		}
		require.False(t, byMail["left@example.com"].Active)
	}
}

// testDispositions lists outcomes.
func testDispositions(t *testing.T, target Target) {
	lister, ok := serve(t, target, target.New(t).Handler).(connectors.DispositionLister)
	if !ok {
		t.Skip("the connector lists no outcomes")
	}
	list, err := lister.Dispositions(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, list)
	seen := map[string]bool{}
	for _, o := range list {
		require.NotEmpty(t, o.ID)
		require.NotEmpty(t, o.Label)
		require.False(t, seen[o.ID], "an outcome twice")
		seen[o.ID] = true
	}
}

// testDeals finds the open deals of a contact and changes one.
func testDeals(t *testing.T, target Target) {
	crm := target.New(t)
	toucher, ok := serve(t, target, crm.Handler).(connectors.DealToucher)
	if !ok {
		t.Skip("the connector changes no deals")
	}
	need(t, crm.AddDeal != nil && crm.AddContact != nil)
	contact, other := crm.AddContact(connectors.ObjectContact, "Ada", "+14155550188"), crm.AddContact(connectors.ObjectContact, "Grace", "+14155550189")
	list, err := toucher.OpenDeals(t.Context(), contact)
	require.NoError(t, err)
	require.Empty(t, list)
	id := crm.AddDeal(contact, true)
	crm.AddDeal(contact, false)
	crm.AddDeal(other, true)
	list, err = toucher.OpenDeals(t.Context(), contact)
	require.NoError(t, err)
	require.Len(t, list, 1, "the open deals of this contact")
	require.Equal(t, connectors.Ref{Object: connectors.ObjectDeal, ID: id}, list[0].Ref)
	require.WithinRange(t, list[0].ModifiedAt, time.Now().Add(-24*time.Hour), time.Now().Add(24*time.Hour))
	require.NoError(t, toucher.TouchDeal(t.Context(), id, map[string]any{target.DealField: target.DealValue}))
	require.Equal(t, target.DealValue, crm.DealField(id, target.DealField))
	err = toucher.TouchDeal(t.Context(), "999999999", map[string]any{target.DealField: target.DealValue})
	require.Equal(t, connectors.NotFound, classOf(t, target, err).Class)
}
