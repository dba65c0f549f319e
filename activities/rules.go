package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/callsync/callsync/call"
	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/mappings"
	"github.com/callsync/callsync/records"
)

// classRule is the class of lanes about which a rule decided, or could not.
const classRule = "rule"

// rulesKey names compiled rules. Numbers without a country code mean something else in every country.
type rulesKey struct {
	ownerID string
	version int
	country string
}

// byRules asks the rules of the source, then those of the connection; decided tells that the lane ends here. They say which
// calls come into the CRM, not which stay there: a call whose record exists, or may exist, is kept up to date whatever they
// say, because half a call in the CRM would mislead people for good.
func (d *attempt) byRules(ctx context.Context) (v verdict, decided bool, err error) {
	row := d.lane.Delivery
	if d.kind() != connectors.ObjectCall {
		// What most rules ask for, a message has not: "answered calls only" does not mean that texts are unwanted.
		return verdict{}, false, nil
	}
	stays := d.remoteIDNow() != "" || row.State == records.DeliveryDone || !row.SendingSince.IsZero()
	withheld := ""
	for _, set := range []struct {
		owner, id, place string
		version          int
	}{
		{records.RulesOfSource, d.lane.Call.Call.SourceID, "the source " + d.lane.SourceName, d.lane.SourceRules},
		{records.RulesOfConnection, d.in.ConnectionID, "the connection " + d.lane.Connection.Name, d.lane.ConnectionRules},
	} {
		if set.version == 0 {
			continue
		}
		rules, err := d.rules(ctx, set.owner, set.id, set.version)
		if problems := (mappings.RuleProblems)(nil); errors.As(err, &problems) {
			d.Log.Error("stored rules cannot be used", "workspace", d.in.WorkspaceID, set.owner, set.id, "error", err)
			return verdict{outcome: Parked, class: classRule, reason: "The rules of " + set.place + " cannot be used by this version of callsync."}, true, nil
		}
		if err != nil {
			return verdict{}, false, err
		}
		if stays && !rules.Withhold() {
			continue
		}
		said, err := rules.Decide(d.mappingInput("", "", nil))
		if failed := (*mappings.RuleError)(nil); errors.As(err, &failed) {
			// Nobody knows what the rules wanted: the call is kept until somebody says.
			d.Log.Error("a rule failed", "workspace", d.in.WorkspaceID, "call", d.in.CallID, set.owner, set.id, "error", err)
			return verdict{outcome: Parked, class: classRule, reason: fmt.Sprintf("In the rules of %s: %s", set.place, failed.Public)}, true, nil
		}
		if said.Skips() && !stays {
			return verdict{outcome: Skipped, class: classRule, reason: said.Sentence(set.place)}, true, nil
		}
		if said.Withholds() && withheld == "" {
			withheld = said.Withheld(set.place)
		}
	}
	if withheld != "" {
		d.withhold(withheld)
	}
	return verdict{}, false, nil
}

// stepWithheld keeps why a call went without its recording.
const stepWithheld = "withheld"

// withhold takes the recordings and the transcription out of the call, before anybody makes something of them: the mapping,
// uploads, connectors that see the call itself.
func (d *attempt) withhold(why string) {
	d.lane.Call.Call.Recordings, d.lane.Call.Call.Transcription, d.lane.Recordings = nil, call.Transcription{}, nil
	d.step(stepWithheld, records.Step{Text: why})
}

// rules are compiled rules, of the version that was in force when the lane was read, or a newer one.
func (d *attempt) rules(ctx context.Context, owner, id string, version int) (*mappings.Rules, error) {
	o, country := &d.open, d.lane.DefaultCountry
	o.mu.Lock()
	rules, ok := o.rules[rulesKey{id, version, country}]
	o.mu.Unlock()
	if ok {
		return rules, nil
	}
	stored, err := d.Store.Rules(ctx, d.in.WorkspaceID, owner, id)
	if err != nil {
		return nil, fmt.Errorf("%w: read the rules: %w", errStore, err)
	}
	doc, err := mappings.ReadRules([]byte(stored.Document))
	if err == nil {
		rules, err = mappings.CompileRules(doc, country)
	}
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rules == nil || len(o.rules) >= maxOpenedRules {
		o.rules = map[rulesKey]*mappings.Rules{}
	}
	o.rules[rulesKey{id, stored.Version, country}] = rules
	return rules, nil
}

// maxOpenedRules bounds the compiled rules that are kept; lists of ten thousand numbers may be among them.
const maxOpenedRules = 512
