package hubspot

import (
	"context"
	"net/http"
	"slices"

	"github.com/callsync/callsync/connectors"
)

// Limits of the open deals of one contact: how many associated deals are looked at, and how many are given.
const (
	maxDealsRead = 500
	maxDeals     = 100
)

var dealProperties = []string{"dealname", "dealstage", "pipeline", "hubspot_owner_id", "hs_lastmodifieddate", "hs_is_closed"}

type associations struct {
	Results []struct {
		To []struct {
			ToObjectID flexibleID `json:"toObjectId"`
		} `json:"to"`
		Paging paging `json:"paging"`
	} `json:"results"`
}

// OpenDeals implements connectors.DealToucher. It goes by the associations, which show a deal at once, and not by the
// search, which lags.
func (s *session) OpenDeals(ctx context.Context, of connectors.Ref) ([]connectors.Deal, error) {
	if of.Object != connectors.ObjectContact && of.Object != connectors.ObjectCompany {
		return nil, &connectors.Error{Class: connectors.Unsupported, Public: "callsync finds the deals of contacts and companies in HubSpot."}
	}
	ids, err := s.associated(ctx, of, deals)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var out []connectors.Deal
	for chunk := range slices.Chunk(ids, maxBatch) {
		inputs := make([]map[string]string, len(chunk))
		for i, id := range chunk {
			inputs[i] = map[string]string{"id": id}
		}
		var page batchResult
		err := s.do(ctx, request{method: http.MethodPost, name: "read of deals", path: s.api.objects(deals) + "/batch/read", reads: true,
			body: map[string]any{"inputs": inputs, "properties": dealProperties, "propertiesWithHistory": []string{}}}, &page)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Results {
			// hs_is_closed is HubSpot's own; the stages are those of the pipeline that every account begins with.
			if r.property("hs_is_closed") == "true" || slices.Contains([]string{"closedwon", "closedlost"}, r.property("dealstage")) {
				continue
			}
			out = append(out, connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: r.ID}, Name: r.property("dealname"),
				OwnerID: r.property("hubspot_owner_id"), ModifiedAt: r.modified("hs_lastmodifieddate")})
		}
	}
	slices.SortStableFunc(out, func(a, b connectors.Deal) int { return b.ModifiedAt.Compare(a.ModifiedAt) })
	return out[:min(len(out), maxDeals)], nil
}

// associated lists the ids of the records of object that of is tied to.
func (s *session) associated(ctx context.Context, of connectors.Ref, object string) ([]string, error) {
	var ids []string
	input := map[string]string{"id": of.ID}
	for len(ids) < maxDealsRead {
		var page associations
		err := s.do(ctx, request{method: http.MethodPost, name: "read of associations", path: s.api.links(objects[of.Object], object) + "/read", reads: true,
			body: map[string]any{"inputs": []map[string]string{input}}}, &page)
		if err != nil {
			return nil, err
		}
		after := ""
		for _, r := range page.Results {
			for _, to := range r.To {
				if id := string(to.ToObjectID); id != "" && !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
			after = r.Paging.Next.After
		}
		if after == "" || after == input["after"] {
			break
		}
		input["after"] = after
	}
	return ids[:min(len(ids), maxDealsRead)], nil
}

// TouchDeal implements connectors.DealToucher.
func (s *session) TouchDeal(ctx context.Context, id string, fields map[string]any) error {
	props, _, err := encode(fields)
	if err != nil {
		return err
	}
	return s.update(ctx, deals, id, props)
}

// flexibleID is an id that HubSpot's description gives as text, and its servers as a number.
type flexibleID string

// UnmarshalJSON implements json.Unmarshaler.
func (f *flexibleID) UnmarshalJSON(b []byte) error {
	if len(b) > 1 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	*f = flexibleID(digits(string(b)))
	return nil
}
