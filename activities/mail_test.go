package activities_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/callsync/callsync/activities"
	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
)

// mailCRM looks for e-mail addresses, too. It never has those that callsync's mapping leaves out.
type mailCRM struct {
	*textCRM
	asked int
}

func (c *mailCRM) Open(connectors.Settings) (connectors.Session, error) { return c, nil }

func (c *mailCRM) FindContactsByEmail(_ context.Context, q connectors.EmailQuery) (out []connectors.Contact, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	for _, contact := range c.contacts {
		if slices.Contains(contact.Emails, q.Email) {
			out = append(out, contact)
		}
	}
	return out, nil
}

func (c *mailCRM) CreateContact(_ context.Context, w connectors.ContactWrite) (connectors.Written, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing("contact", "before"); err != nil {
		return connectors.Written{}, err
	}
	for id, key := range c.made {
		if key == w.Key && c.kind == connectors.KeyedUpsert {
			return connectors.Written{RemoteID: id}, nil
		}
	}
	id := fmt.Sprint("contact-", len(c.contacts)+1)
	contact := connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: id}}
	if n, ok := w.Fields["phone"].(string); ok {
		contact.Numbers = []string{n}
	}
	c.contacts[id], c.made[id] = contact, w.Key
	return connectors.Written{RemoteID: id, Created: true}, c.failing("contact", "committed")
}

func (c *mailCRM) FollowContact(_ context.Context, of connectors.Ref) (connectors.Ref, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.contacts[of.ID]
	return of, ok, nil
}

func newMailWorld(t *testing.T, kind connectors.Idempotency) (*world, *mailCRM) {
	w, text := newTextWorld(t, kind)
	c := &mailCRM{textCRM: text}
	w.delivery.Connectors = connectors.NewRegistry(c)
	return w, c
}

func (w *world) formOf(number, email string) other {
	o := other{"form", uuid.NewString(), 1}
	w.saveOther(o, call.Form{ID: o.id, Provider: "callrail", Customer: call.Party{Number: number, Email: email, Name: "Ada"}, Fields: map[string]any{"x": "y"}})
	return o
}

// contactOf is the contact with which a form was written.
func (c *mailCRM) contactOf(w *world, o other) string {
	w.t.Helper()
	links := c.records[w.rowOf(o).RemoteID].Links
	if len(links) == 0 {
		return ""
	}
	return links[0].ID
}

func TestAFormFindsItsContactByEmail(t *testing.T) {
	t.Parallel()
	w, c := newMailWorld(t, connectors.KeyedUpsert)
	c.contacts["ada"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "ada"}, Emails: []string{"ada@example.com"}}
	c.contacts["eve"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "eve"}, Emails: []string{"not.ada@example.com"}}
	for _, number := range []string{"", "+14155550101"} {
		f := w.formOf(number, " Ada@Example.com ")
		require.Equal(t, activities.Done, w.settleOther(f).Outcome)
		require.Equal(t, "ada", c.contactOf(w, f))
	}
	require.Len(t, c.contacts, 2, "nobody is created whose e-mail address is known")

	c.contacts["bob"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "bob"}, Numbers: []string{"+14155550102"}}
	asked := c.asked
	f := w.formOf("+14155550102", "ada@example.com")
	w.settleOther(f)
	require.Equal(t, "bob", c.contactOf(w, f), "a number leads")
	require.Equal(t, asked, c.asked)
	for _, none := range []string{"", "nobody", "a@b@c", "@x", "a b@c.example"} {
		w.settleOther(w.formOf("", none))
	}
	require.Len(t, c.contacts, 3, "what is no address finds and makes nobody")
}

// Whoever is created by a number, an e-mail address or both is one contact for all that follows, whatever order it comes in.
func TestANumberAndAnEmailMakeOneContact(t *testing.T) {
	t.Parallel()
	const number, email = "+14155550101", "ada@example.com"
	both, byNumber, byMail := [2]string{number, email}, [2]string{number, ""}, [2]string{"", email}
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		for _, order := range [][][2]string{{both, byMail, byNumber}, {byMail, both, byNumber}, {byNumber, both, byMail}, {byMail, byMail}, {byMail, both, {"+14155550102", email}}} {
			t.Run(fmt.Sprint(kind, order), func(t *testing.T) {
				t.Parallel()
				w, c := newMailWorld(t, kind)
				for _, who := range order {
					f := w.formOf(who[0], who[1])
					require.Equal(t, activities.Done, w.settleOther(f).Outcome)
					require.Equal(t, "contact-1", c.contactOf(w, f))
				}
				require.Len(t, c.contacts, 1)
				// Later, when what was found is asked of the CRM again.
				w.exec(`update deliveries set updated_at = now() - interval '1 day' where object = 'contact'`)
				for _, who := range order {
					f := w.formOf(who[0], who[1])
					w.settleOther(f)
					require.Equal(t, "contact-1", c.contactOf(w, f))
				}
				// Somebody deletes it: one is made anew, and nothing turns in circles.
				delete(c.contacts, "contact-1")
				delete(c.made, "contact-1")
				w.exec(`update deliveries set state = 'waiting', remote_id = '', written = '{}', steps = '{}' where object = 'contact' and key = '` + number + `'`)
				w.exec(`update deliveries set updated_at = now() - interval '1 day' where object = 'contact'`)
				w.settleOther(w.formOf(number, email))
				require.Len(t, c.contacts, 1)
			})
		}
	}
}

func TestFormsOfOnePersonAtOnce(t *testing.T) {
	t.Parallel()
	w, c := newMailWorld(t, connectors.KeyedUpsert)
	var wg sync.WaitGroup
	for _, who := range [][2]string{{"+14155550101", "ada@example.com"}, {"", "ada@example.com"}, {"+14155550101", ""}, {"+14155550101", "ada@example.com"}, {"", "ada@example.com"}} {
		f := w.formOf(who[0], who[1])
		wg.Go(func() { w.settleOther(f) })
	}
	wg.Wait()
	// Who came by the number alone and who by the address alone could not be told for one before both were seen together.
	require.LessOrEqual(t, len(c.contacts), 2)

	w, c = newMailWorld(t, connectors.KeyedUpsert)
	for _, who := range [][2]string{{"+14155550101", "ada@example.com"}, {"", "ada@example.com"}, {"+14155550101", "ada@example.com"}, {"", "ada@example.com"}} {
		f := w.formOf(who[0], who[1])
		wg.Go(func() { w.settleOther(f) })
	}
	wg.Wait()
	require.Len(t, c.contacts, 1)
}

// The answer to a create by e-mail is lost; then the person comes with a number, too.
func TestALostCreateByEmail(t *testing.T) {
	t.Parallel()
	for _, kind := range []connectors.Idempotency{connectors.KeyedUpsert, connectors.LookupThenWrite, connectors.CreateOnly} {
		for _, when := range []string{"before", "committed"} {
			w, c := newMailWorld(t, kind)
			c.fault = once("contact", when, &connectors.Error{Class: connectors.UnknownOutcome, Public: "no answer"})
			first := w.formOf("", "ada@example.com")
			_, err := w.deliverOther(first, false)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			second := w.formOf("+14155550101", "ada@example.com")
			require.Equal(t, activities.Done, w.settleOther(second).Outcome)
			require.Equal(t, activities.Done, w.settleOther(first).Outcome)
			require.Len(t, c.contacts, 1, "%s %s", kind, when)
			require.Equal(t, c.contactOf(w, first), c.contactOf(w, second))
		}
	}
}

func TestSomebodyIsAskedWhoseAddressItIs(t *testing.T) {
	t.Parallel()
	w, c := newMailWorld(t, connectors.KeyedUpsert)
	w.exec(`update connections set match_policy = '{"on_none": "ask", "ask_hold": true}', updated_at = now()`)
	f := w.formOf("", "ada@example.com")
	require.Equal(t, activities.Parked, w.settleOther(f).Outcome)
	require.Contains(t, w.rowOf(f).Reason, "No contact has this e-mail address.")
	c.contacts["ada"] = connectors.Contact{Ref: connectors.Ref{Object: "contact", ID: "ada"}}
	w.exec(`insert into match_choices (id, workspace_id, connection_id, number, choice, object) values ($1, $2, $3, 'ada@example.com', 'ada', 'contact')`, uuid.NewString(), w.ws, w.conn)
	r, err := w.deliverOther(f, true)
	require.NoError(t, err)
	require.Equal(t, activities.Done, r.Outcome)
	require.Equal(t, "ada", c.contactOf(w, f))
}
