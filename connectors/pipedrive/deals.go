package pipedrive

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// OpenDeals implements connectors.DealToucher.
func (s *session) OpenDeals(ctx context.Context, of connectors.Ref) ([]connectors.Deal, error) {
	name, ok := map[string]string{"": "person_id", connectors.ObjectContact: "person_id", connectors.ObjectCompany: "org_id"}[of.Object]
	if _, numeric := number(of.ID); !ok || !numeric {
		// A lead has no deals: it becomes one.
		return nil, nil
	}
	q := url.Values{name: {of.ID}, "status": {"open"}, "sort_by": {"update_time"}, "sort_direction": {"desc"}, "limit": {"100"}}
	var deals []struct {
		ID         int64  `json:"id"`
		Title      string `json:"title"`
		OwnerID    int64  `json:"owner_id"`
		Status     string `json:"status"`
		Deleted    bool   `json:"is_deleted"`
		UpdateTime string `json:"update_time"`
	}
	if err := s.do(ctx, request{endpoint: listDeals, name: "list of deals", query: q}, &deals); err != nil {
		return nil, err
	}
	var out []connectors.Deal
	for _, d := range deals {
		if d.Status == "open" && !d.Deleted {
			out = append(out, connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: idText(d.ID)}, Name: d.Title,
				OwnerID: idText(d.OwnerID), ModifiedAt: moment(d.UpdateTime)})
		}
	}
	return out, nil
}

// TouchDeal implements connectors.DealToucher.
func (s *session) TouchDeal(ctx context.Context, id string, fields map[string]any) error {
	if _, numeric := number(id); !numeric {
		return gone()
	}
	body, custom := map[string]any{}, map[string]any{}
	for name, v := range fields {
		switch {
		case slices.Contains([]string{"owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "visible_to"}, name):
			n, ok, err := asNumber(name, v)
			if err != nil {
				return err
			}
			if ok {
				body[name] = n
			}
		case name == "value" || name == "probability":
			n, ok, err := asFloat(name, v)
			if err != nil {
				return err
			}
			if ok {
				body[name] = n
			}
		case slices.Contains([]string{"title", "currency", "status", "lost_reason", "expected_close_date"}, name):
			t, err := asText(name, v)
			if err != nil {
				return err
			}
			if t = strings.TrimSpace(t); t != "" {
				body[name] = t
			}
		default:
			value, ok, err := s.customValue(ctx, connectors.ObjectDeal, name, v)
			if err != nil {
				return err
			}
			if ok {
				custom[name] = value
			}
		}
	}
	if len(custom) > 0 {
		body["custom_fields"] = custom
	}
	if len(body) == 0 {
		return nil
	}
	return s.do(ctx, request{endpoint: updateDeal, name: "update of a deal", id: id, body: body}, nil)
}
