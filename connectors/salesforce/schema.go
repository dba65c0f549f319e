package salesforce

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// describeTTL is how long the description of an object is remembered.
const describeTTL = 30 * time.Minute

// masterRecordType is the record type of records that have none.
const masterRecordType = "012000000000000AAA"

// objectInfo is Salesforce's description of an object, as far as it matters. Fields that field-level security hides from
// callsync's user are not in it.
type objectInfo struct {
	Name        string           `json:"name"`
	Createable  bool             `json:"createable"`
	Updateable  bool             `json:"updateable"`
	Queryable   bool             `json:"queryable"`
	FieldList   []fieldInfo      `json:"fields"`
	RecordTypes []recordTypeInfo `json:"recordTypeInfos"`

	Fields map[string]fieldInfo `json:"-"`
}

type fieldInfo struct {
	Name              string         `json:"name"`
	Label             string         `json:"label"`
	Type              string         `json:"type"`
	Length            int            `json:"length"`
	Createable        bool           `json:"createable"`
	Updateable        bool           `json:"updateable"`
	Nillable          bool           `json:"nillable"`
	DefaultedOnCreate bool           `json:"defaultedOnCreate"`
	ExternalID        bool           `json:"externalId"`
	Unique            bool           `json:"unique"`
	HTMLFormatted     bool           `json:"htmlFormatted"`
	ExtraTypeInfo     string         `json:"extraTypeInfo"`
	PicklistValues    []picklistItem `json:"picklistValues"`
}

type picklistItem struct {
	Active bool   `json:"active"`
	Label  string `json:"label"`
	Value  string `json:"value"`
}

type recordTypeInfo struct {
	ID        string `json:"recordTypeId"`
	Available bool   `json:"available"`
	Default   bool   `json:"defaultRecordTypeMapping"`
	Master    bool   `json:"master"`
}

// info describes an object, from memory where it is fresh.
func (s *session) info(ctx context.Context, object string) (objectInfo, error) {
	out, _, err := s.described.Get(ctx, object, describeTTL, 0, func() (objectInfo, bool, error) {
		info, err := s.fetch(ctx, object)
		return info, true, err
	})
	return out, err
}

// load describes an object anew.
func (s *session) load(ctx context.Context, object string) (objectInfo, error) {
	s.described.Forget(object)
	return s.info(ctx, object)
}

func (s *session) fetch(ctx context.Context, object string) (objectInfo, error) {
	var out objectInfo
	q := get("description of "+label(object), object, s.describe(object), nil)
	_, err := s.do(ctx, q, &out)
	if err != nil {
		return out, err
	}
	if len(out.FieldList) == 0 {
		return out, connectors.Unreadable(Label, "salesforce "+q.name, q.reads)
	}
	out.Fields = make(map[string]fieldInfo, len(out.FieldList))
	for _, f := range out.FieldList {
		out.Fields[f.Name] = f
	}
	return out, nil
}

// standardPhones are phone fields whatever type a description gives them.
var standardPhones = []string{"Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone"}

// phones are the fields of an object that hold phone numbers and that callsync's user may see, fax numbers left out.
func (i objectInfo) phones() []string {
	var out []string
	for _, f := range i.FieldList {
		if slices.Contains(standardPhones, f.Name) || f.Type == "phone" && !strings.Contains(f.Name, "Fax") && identifier.MatchString(f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}

// recordType is the one that a new record gets where nobody says another; empty where the object has none.
func (i objectInfo) recordType() string {
	for _, r := range i.RecordTypes {
		if r.Default && !r.Master && r.ID != masterRecordType && recordID.MatchString(r.ID) {
			return r.ID
		}
	}
	return ""
}

// fieldTypes are callsync's kinds of Salesforce's field types; those that are not here are text, as a combobox is, which
// takes any text beside its suggestions.
var fieldTypes = map[string]connectors.FieldType{
	"textarea": connectors.TypeLongText, "int": connectors.TypeNumber, "long": connectors.TypeNumber, "double": connectors.TypeNumber,
	"currency": connectors.TypeNumber, "percent": connectors.TypeNumber, "boolean": connectors.TypeBool, "date": connectors.TypeDate,
	"datetime": connectors.TypeDateTime, "picklist": connectors.TypePicklist,
	"multipicklist": connectors.TypeMulti, "reference": connectors.TypeRef,
}

// Describe implements connectors.SchemaDescriber for everything that callsync writes to Salesforce.
func (s *session) Describe(ctx context.Context, object string) (connectors.Schema, error) {
	name, ok := objects[object]
	if !ok {
		return connectors.Schema{}, &connectors.Error{Class: connectors.Unsupported, Public: "callsync does not write objects of this kind to Salesforce."}
	}
	info, err := s.load(ctx, name)
	if err != nil {
		return connectors.Schema{}, err
	}
	lists, err := s.lists(ctx, name, info)
	if err != nil {
		return connectors.Schema{}, err
	}
	out := connectors.Schema{Object: object, Fields: []connectors.SchemaField{}}
	for _, f := range info.FieldList {
		if slices.Contains([]string{"address", "location", "base64", "complexvalue", "anyType"}, f.Type) {
			continue
		}
		kind, ok := fieldTypes[f.Type]
		if !ok {
			kind = connectors.TypeText
		}
		if f.HTMLFormatted && f.Type == "textarea" {
			kind = connectors.TypeHTML
		}
		field := connectors.SchemaField{Name: f.Name, Label: f.Label, Type: kind, Required: f.Createable && !f.Nillable && !f.DefaultedOnCreate && f.Type != "boolean",
			ReadOnly: !f.Createable && !f.Updateable || f.Name == s.keyField}
		if kind == connectors.TypeText || kind == connectors.TypeLongText || kind == connectors.TypeHTML {
			field.MaxLength = f.Length
		}
		if kind == connectors.TypePicklist || kind == connectors.TypeMulti {
			field.Options = options(f.PicklistValues)
			if list, ok := lists[f.Name]; ok {
				field.Options = list
			}
		}
		out.Fields = append(out.Fields, field)
	}
	return out, nil
}

func options(list []picklistItem) []connectors.DispositionOption {
	out := []connectors.DispositionOption{}
	for _, p := range list {
		if p.Active && p.Value != "" {
			l := p.Label
			if l == "" {
				l = p.Value
			}
			out = append(out, connectors.DispositionOption{ID: p.Value, Label: l})
		}
	}
	return out
}

// lists are the picklists as the record type of new records allows them; empty where there is no record type, for then
// the description has them.
func (s *session) lists(ctx context.Context, object string, info objectInfo) (map[string][]connectors.DispositionOption, error) {
	id := info.recordType()
	if object == objTask && s.recordType != "" {
		id = s.recordType
	}
	if id == "" {
		return nil, nil
	}
	var answer struct {
		PicklistFieldValues map[string]struct {
			Values []picklistItem `json:"values"`
		} `json:"picklistFieldValues"`
	}
	_, err := s.do(ctx, get("picklists of "+label(object), object, s.picklists(object, id), nil), &answer)
	if err != nil {
		if connectors.AsError(err).Class.Retryable() || connectors.IsClass(err, connectors.Unauthorized) {
			return nil, err
		}
		// The UI API is not for every object and user; the description has all values at least.
		return nil, nil
	}
	out := map[string][]connectors.DispositionOption{}
	for name, field := range answer.PicklistFieldValues {
		for i := range field.Values {
			field.Values[i].Active = true
		}
		out[name] = options(field.Values)
	}
	return out, nil
}

// outcomesTTL is how long the list of outcomes is remembered.
const outcomesTTL = 10 * time.Minute

// maxOutcomes bounds the outcomes that are found in the calls.
const maxOutcomes = 200

// Dispositions implements connectors.DispositionLister. Call Result (CallDisposition) is plain text, so an org's outcomes are
// a convention: the values of the picklist that the connection names, else those of Call Result where an org has made it
// a list, else what people have written there in the last 90 days.
func (s *session) Dispositions(ctx context.Context) ([]connectors.DispositionOption, error) {
	out, _, err := s.outcomes.Get(ctx, "", outcomesTTL, outcomesTTL, func() ([]connectors.DispositionOption, bool, error) {
		info, err := s.info(ctx, objTask)
		if err != nil {
			return nil, false, err
		}
		lists, err := s.lists(ctx, objTask, info)
		if err != nil {
			return nil, false, err
		}
		for _, name := range []string{s.outcomeField, "CallDisposition"} {
			list := options(info.Fields[name].PicklistValues)
			if l, ok := lists[name]; ok {
				list = l
			}
			if len(list) > 0 {
				return list, true, nil
			}
		}
		list, err := s.usedOutcomes(ctx)
		return list, true, err
	})
	if out == nil {
		out = []connectors.DispositionOption{}
	}
	return out, err
}

func (s *session) usedOutcomes(ctx context.Context) ([]connectors.DispositionOption, error) {
	rows, err := s.selectRows(ctx, objTask, "SELECT CallDisposition FROM Task WHERE CallDisposition != null AND CreatedDate = LAST_N_DAYS:90 GROUP BY CallDisposition LIMIT 200", false)
	if err != nil {
		if connectors.AsError(err).Class.Retryable() || connectors.IsClass(err, connectors.Unauthorized) {
			return nil, err
		}
		return nil, nil
	}
	var out []connectors.DispositionOption
	for _, r := range rows {
		if v := strings.TrimSpace(r.text("CallDisposition")); v != "" && len(out) < maxOutcomes &&
			!slices.ContainsFunc(out, func(o connectors.DispositionOption) bool { return o.ID == v }) {
			out = append(out, connectors.DispositionOption{ID: v, Label: v})
		}
	}
	return out, nil
}
