package odoo

import (
	"context"

	"github.com/callsync/callsync/connectors"
)

// place is a record with a chatter.
type place struct {
	model string
	id    int64
}

// placeModels are Odoo's models by callsync's names of objects. A company is a contact that is a company; a deal is a lead
// that became an opportunity.
var placeModels = map[string]string{
	connectors.ObjectContact: "res.partner", connectors.ObjectCompany: "res.partner", connectors.ObjectLead: "crm.lead", connectors.ObjectDeal: "crm.lead",
	connectors.ObjectTicket: ticketModel,
}

// modelIDs are the External IDs of Odoo's models themselves, which stand in for numbers that users may not read.
var modelIDs = map[string]xmlID{"res.partner": "base.model_res_partner", "crm.lead": "crm.model_crm_lead"}

// placeOf is the chatter of a reference.
func placeOf(ref connectors.Ref) (place, bool) {
	model, ok := placeModels[ref.Object]
	if !ok {
		return place{}, false
	}
	id, err := recordID(ref.ID)
	return place{model, id}, err == nil
}

// placeFor is where a note or an activity with these links goes: to the first contact or lead, else to the contact for
// what belongs to nobody. It returns the links that are made by that.
func (s *session) placeFor(ctx context.Context, links []connectors.Ref) (place, []connectors.Ref, error) {
	for _, l := range links {
		if p, ok := placeOf(l); ok && modelIDs[p.model] != "" {
			return p, []connectors.Ref{l}, nil
		}
	}
	p, err := s.nobodys(ctx)
	return p, nil, err
}

// nobodys is the contact whose chatter takes what belongs to nobody.
func (s *session) nobodys(ctx context.Context) (place, error) {
	if s.fallback != 0 {
		return place{"res.partner", s.fallback}, nil
	}
	who, err := s.me(ctx)
	return place{"res.partner", who.partner}, err
}

// first is the contact or lead that a record belongs to before others.
func first(links []connectors.Ref) (place, bool) {
	for _, l := range links {
		if p, ok := placeOf(l); ok && modelIDs[p.model] != "" {
			return p, true
		}
	}
	return place{}, false
}
