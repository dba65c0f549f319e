package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// ConsentStore is what Consent needs of PostgreSQL.
type ConsentStore interface {
	Rules(ctx context.Context, workspaceID, owner, ownerID string) (records.Rules, error)
	CallDetail(ctx context.Context, workspaceID, id string) (records.CallItem, error)
	SourceByID(ctx context.Context, workspaceID, id string) (records.Source, error)
	OwnNumbers(ctx context.Context, workspaceID string) ([]records.OwnNumber, error)
}

// Consent asks the rules of sources outside of deliveries: what somebody did not want to be kept must not be copied either.
type Consent struct{ Store ConsentStore }

// WithholdsRecording returns the sentence of the rule by which calls like this one go without their recording; empty where
// none says so. Rules that skip a call say nothing of its recording: they are about CRMs. Errors are the store's, or those of
// a rule that cannot be asked; nobody knows what it wanted then.
func (c *Consent) WithholdsRecording(ctx context.Context, workspaceID, sourceID, callID string) (string, error) {
	stored, err := c.Store.Rules(ctx, workspaceID, records.RulesOfSource, sourceID)
	if err != nil || stored.Version == 0 {
		return "", err
	}
	source, err := c.Store.SourceByID(ctx, workspaceID, sourceID)
	if err != nil {
		return "", err
	}
	doc, err := mappings.ReadRules([]byte(stored.Document))
	if err != nil {
		return "", fmt.Errorf("read the rules: %w", err)
	}
	rules, err := mappings.CompileRules(doc, source.DefaultCountry)
	if err != nil {
		return "", fmt.Errorf("compile the rules: %w", err)
	}
	if !rules.Withhold() {
		return "", nil
	}
	item, err := c.Store.CallDetail(ctx, workspaceID, callID)
	if errors.Is(err, records.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	own, err := c.Store.OwnNumbers(ctx, workspaceID)
	if err != nil {
		return "", err
	}
	zone, err := time.LoadLocation(source.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	said, err := rules.Decide(mappings.Input{Call: item.Call, Location: zone, Country: source.DefaultCountry,
		OwnNumber: slices.ContainsFunc(own, func(n records.OwnNumber) bool { return n.Number == item.Call.Customer.Number })})
	if err != nil || !said.Withholds() {
		return "", err
	}
	return said.Withheld("the source " + source.Name), nil
}
