package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/callsync/callsync/records"
)

// OwnNumberView is a phone number of the workspace itself.
type OwnNumberView struct {
	Number string `json:"number" example:"+14155550101" doc:"E.164, with + and the country code."`
	Label  string `json:"label,omitempty" maxLength:"200"`
}

// OwnerView assigns an agent of the phone system to a user of the CRM.
type OwnerView struct {
	Agent     string `json:"agent" minLength:"1" maxLength:"320" example:"anna@example.com" doc:"The agent's e-mail, or id: and the phone system's id."`
	OwnerID   string `json:"owner_id" minLength:"1" maxLength:"200" doc:"The user's id in the CRM."`
	OwnerName string `json:"owner_name,omitempty" maxLength:"200"`
	Manual    bool   `json:"manual,omitempty" readOnly:"true" doc:"Made by an admin; false: found by callsync."`
}

type ownNumbersPut struct {
	Body struct {
		Items []OwnNumberView `json:"items" maxItems:"5000"`
	}
}

type ownersPut struct {
	PathID
	Body struct {
		Items []OwnerView `json:"items" maxItems:"5000"`
	}
}

func (h *Handler) registerTables() {
	handle(h, viewer, get("/own-numbers", "Your own phone numbers, which are never customers", "Tables"), h.listOwnNumbers)
	handle(h, admin, method(http.MethodPut, "/own-numbers", "Replace the list of your own phone numbers", "Tables"), h.putOwnNumbers)
	handle(h, viewer, get("/connections/{id}/owners", "Which agent is which user of the CRM", "Tables"), h.listOwners)
	handle(h, admin, method(http.MethodPut, "/connections/{id}/owners", "Replace the assignments made by hand", "Tables"), h.putOwners)
}

func (h *Handler) listOwnNumbers(ctx context.Context, p principal, _ *none) (*answer[List[OwnNumberView]], error) {
	all, err := h.Store.OwnNumbers(ctx, p.WorkspaceID)
	items := make([]OwnNumberView, 0, len(all))
	for _, n := range all {
		items = append(items, OwnNumberView{n.Number, n.Label})
	}
	return &answer[List[OwnNumberView]]{List[OwnNumberView]{Items: items}}, err
}

func (h *Handler) putOwnNumbers(ctx context.Context, p principal, in *ownNumbersPut) (*answer[List[OwnNumberView]], error) {
	var out faults
	var rows []records.OwnNumber
	seen := map[string]bool{}
	for i, n := range in.Body.Items {
		e164, err := ownNumber(n.Number)
		if err != nil {
			out.add(fmt.Sprintf("items[%d].number", i), noPhoneNumber)
			continue
		}
		if !seen[e164] {
			rows = append(rows, records.OwnNumber{Number: e164, Label: n.Label})
		}
		seen[e164] = true
	}
	if err := out.problem(); err != nil {
		return nil, err
	}
	if err := h.Store.PutOwnNumbers(ctx, p.WorkspaceID, rows); err != nil {
		return nil, err
	}
	return h.listOwnNumbers(ctx, p, nil)
}

const noPhoneNumber = "This is no phone number. Write it with + and the country code, such as +14155550101."

// ownNumber is a number in E.164, which needs its country code: a workspace may have lines in several countries.
func ownNumber(text string) (string, error) {
	parsed, err := phonenumbers.Parse(text, "ZZ")
	if err != nil {
		return "", err
	}
	return phonenumbers.Format(parsed, phonenumbers.E164), nil
}

func (h *Handler) listOwners(ctx context.Context, p principal, in *PathID) (*answer[List[OwnerView]], error) {
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	all, err := h.Store.Owners(ctx, p.WorkspaceID, in.ID)
	items := make([]OwnerView, 0, len(all))
	for _, o := range all {
		items = append(items, OwnerView{o.AgentKey, o.OwnerID, o.OwnerName, o.Manual})
	}
	return &answer[List[OwnerView]]{List[OwnerView]{Items: items}}, err
}

func (h *Handler) putOwners(ctx context.Context, p principal, in *ownersPut) (*answer[List[OwnerView]], error) {
	if _, err := h.Store.ConnectionByID(ctx, p.WorkspaceID, in.ID); err != nil {
		return nil, err
	}
	var out faults
	var rows []records.Owner
	seen := map[string]bool{}
	for i, o := range in.Body.Items {
		key := strings.TrimSpace(o.Agent)
		if !strings.HasPrefix(key, "id:") {
			key = strings.ToLower(key)
		}
		if seen[key] {
			out.add(fmt.Sprintf("items[%d].agent", i), "This agent is in the list twice.")
		}
		seen[key] = true
		rows = append(rows, records.Owner{AgentKey: key, OwnerID: o.OwnerID, OwnerName: o.OwnerName, Manual: true})
	}
	if err := out.problem(); err != nil {
		return nil, err
	}
	if err := h.Store.PutOwners(ctx, p.WorkspaceID, in.ID, rows); err != nil {
		return nil, err
	}
	return h.listOwners(ctx, p, &in.PathID)
}
