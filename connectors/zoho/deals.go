package zoho

import (
	"context"
	"slices"
	"strings"

	"github.com/callsync/callsync/connectors"
)

// Limits of the open deals of one contact: how many are looked at, and how many are given.
const (
	maxDealsRead = 500
	maxDeals     = 100
)

// OpenDeals implements connectors.DealToucher. It goes by the related list, which shows a deal at once.
func (s *session) OpenDeals(ctx context.Context, of connectors.Ref) ([]connectors.Deal, error) {
	if of.Object != connectors.ObjectContact && of.Object != connectors.ObjectCompany {
		return nil, &connectors.Error{Class: connectors.Unsupported, Public: "callsync finds the deals of contacts and accounts in Zoho CRM."}
	}
	closed, err := s.closedStages(ctx)
	if err != nil {
		return nil, err
	}
	var out []connectors.Deal
	seen := 0
	err = s.related(ctx, modules[of.Object], of.ID, deals, []string{"id", "Deal_Name", "Stage", "Owner", "Modified_Time"}, func(r values) bool {
		stage := r.text("Stage")
		if is, known := closed[stage]; usable(r.text("id")) && !is && (known || !looksClosed(stage)) {
			out = append(out, connectors.Deal{Ref: connectors.Ref{Object: connectors.ObjectDeal, ID: r.text("id")}, Name: r.text("Deal_Name"),
				OwnerID: r.ref("Owner"), ModifiedAt: modified(r)})
		}
		seen++
		return seen < maxDealsRead
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b connectors.Deal) int { return b.ModifiedAt.Compare(a.ModifiedAt) })
	return out[:min(len(out), maxDeals)], nil
}

// closedStages says of each stage whether a deal in it is closed, as the account's forecast types have it.
func (s *session) closedStages(ctx context.Context) (map[string]bool, error) {
	list, _, err := s.stages.Get(ctx, "", stagesTTL, stagesTTL, func() (map[string]bool, bool, error) {
		fields, err := s.fields(ctx, deals)
		if connectors.IsClass(err, connectors.Forbidden) {
			return nil, true, nil
		}
		out := map[string]bool{}
		for _, f := range fields {
			for _, v := range f.Values {
				if f.APIName == "Stage" && v.Forecast != "" {
					out[v.Actual] = looksClosed(v.Forecast)
				}
			}
		}
		return out, true, err
	})
	return list, err
}

// looksClosed goes by the names that an unchanged account has: Closed Won, Closed Lost, Closed-Lost to Competition.
func looksClosed(name string) bool { return strings.HasPrefix(strings.ToLower(name), "closed") }

// TouchDeal implements connectors.DealToucher.
func (s *session) TouchDeal(ctx context.Context, id string, fields map[string]any) error {
	v, _, err := encode(deals, fields)
	if err != nil {
		return err
	}
	_, err = s.update(ctx, deals, id, v, nil)
	return err
}
