package call

// Field names one member of Facts, or one member of a member, by its JSON name ("tags", "note", "customer.name"). It is
// how an event says in Asserted which of its facts are authoritative even when they are empty.
type Field string

// The fields an event can assert. A field with members ("customer") stands for all of them.
const (
	FieldDirection           Field = "direction"
	FieldStatus              Field = "status"
	FieldCustomer            Field = "customer"
	FieldCustomerNumber      Field = "customer.number"
	FieldCustomerRawNumber   Field = "customer.raw_number"
	FieldCustomerName        Field = "customer.name"
	FieldCustomerEmail       Field = "customer.email"
	FieldCustomerCompany     Field = "customer.company"
	FieldCustomerCity        Field = "customer.city"
	FieldCustomerState       Field = "customer.state"
	FieldCustomerCountry     Field = "customer.country"
	FieldCustomerCRMID       Field = "customer.crm_id"
	FieldBusinessNumber      Field = "business_number"
	FieldBusinessRawNumber   Field = "business_raw_number"
	FieldAgents              Field = "agents"
	FieldStartedAt           Field = "started_at"
	FieldAnsweredAt          Field = "answered_at"
	FieldEndedAt             Field = "ended_at"
	FieldDurationSeconds     Field = "duration_seconds"
	FieldRingSeconds         Field = "ring_seconds"
	FieldTalkSeconds         Field = "talk_seconds"
	FieldHoldSeconds         Field = "hold_seconds"
	FieldHangupCause         Field = "hangup_cause"
	FieldHangupBy            Field = "hangup_by"
	FieldQueue               Field = "queue"
	FieldDepartment          Field = "department"
	FieldIVRPath             Field = "ivr_path"
	FieldDigits              Field = "digits"
	FieldCampaign            Field = "campaign"
	FieldCampaignID          Field = "campaign.id"
	FieldCampaignName        Field = "campaign.name"
	FieldLeadFields          Field = "lead_fields"
	FieldReference           Field = "reference"
	FieldReferenceCRM        Field = "reference.crm"
	FieldReferenceClick      Field = "reference.click_to_call"
	FieldRecordings          Field = "recordings"
	FieldTranscription       Field = "transcription"
	FieldTranscriptionText   Field = "transcription.text"
	FieldTranscriptionURL    Field = "transcription.url"
	FieldTranscriptionState  Field = "transcription.state"
	FieldDisposition         Field = "disposition"
	FieldDispositionValue    Field = "disposition.value"
	FieldDispositionSubValue Field = "disposition.sub_value"
	FieldDispositionSetBy    Field = "disposition.set_by"
	FieldDispositionSetAt    Field = "disposition.set_at"
	FieldTags                Field = "tags"
	FieldNote                Field = "note"
	FieldValue               Field = "value"
	FieldLeadStatus          Field = "lead_status"
	FieldScores              Field = "scores"
	FieldFirstCall           Field = "first_call"
	FieldPriorCalls          Field = "prior_calls"
	FieldAttribution         Field = "attribution"
	FieldAttributionSource   Field = "attribution.source"
	FieldAttributionMedium   Field = "attribution.medium"
	FieldAttributionCampaign Field = "attribution.campaign"
	FieldAttributionKeywords Field = "attribution.keywords"
	FieldAttributionLanding  Field = "attribution.landing_page"
	FieldAttributionReferrer Field = "attribution.referrer"
	FieldAttributionUTM      Field = "attribution.utm"
	FieldCost                Field = "cost"
	FieldOperator            Field = "operator"
	FieldCircle              Field = "circle"
	FieldTimeZone            Field = "time_zone"
	FieldProviderURL         Field = "provider_url"
	FieldCustomData          Field = "custom_data"
	FieldAttributes          Field = "attributes"
)

// Known tells whether f names a field. An event that asserts an unknown one asserts nothing by it.
func (f Field) Known() bool {
	_, ok := assertions[f]
	return ok
}

// assertions sets one field of the first call to what the second states, be it nothing. The status is not set here: it
// has rules of its own, and an assertion of it only raises its precedence.
var assertions = map[Field]func(to, from *Facts){
	FieldDirection:         func(to, from *Facts) { to.Direction = from.Direction },
	FieldStatus:            func(to, from *Facts) {},
	FieldCustomer:          func(to, from *Facts) { to.Customer = from.Customer },
	FieldCustomerNumber:    func(to, from *Facts) { to.Customer.Number = from.Customer.Number },
	FieldCustomerRawNumber: func(to, from *Facts) { to.Customer.RawNumber = from.Customer.RawNumber },
	FieldCustomerName:      func(to, from *Facts) { to.Customer.Name = from.Customer.Name },
	FieldCustomerEmail:     func(to, from *Facts) { to.Customer.Email = from.Customer.Email },
	FieldCustomerCompany:   func(to, from *Facts) { to.Customer.Company = from.Customer.Company },
	FieldCustomerCity:      func(to, from *Facts) { to.Customer.City = from.Customer.City },
	FieldCustomerState:     func(to, from *Facts) { to.Customer.State = from.Customer.State },
	FieldCustomerCountry:   func(to, from *Facts) { to.Customer.Country = from.Customer.Country },
	FieldCustomerCRMID:     func(to, from *Facts) { to.Customer.CRMID = from.Customer.CRMID },
	FieldBusinessNumber:    func(to, from *Facts) { to.BusinessNumber = from.BusinessNumber },
	FieldBusinessRawNumber: func(to, from *Facts) { to.BusinessRawNumber = from.BusinessRawNumber },
	FieldAgents:            func(to, from *Facts) { to.Agents = mergeAgents(keepAgents(to.Agents, from.Agents), from.Agents) },
	FieldStartedAt:         func(to, from *Facts) { to.StartedAt = normal(from.StartedAt) },
	FieldAnsweredAt:        func(to, from *Facts) { to.AnsweredAt = normal(from.AnsweredAt) },
	FieldEndedAt:           func(to, from *Facts) { to.EndedAt = normal(from.EndedAt) },
	FieldDurationSeconds:   func(to, from *Facts) { to.DurationSeconds = clone(from.DurationSeconds) },
	FieldRingSeconds:       func(to, from *Facts) { to.RingSeconds = clone(from.RingSeconds) },
	FieldTalkSeconds:       func(to, from *Facts) { to.TalkSeconds = clone(from.TalkSeconds) },
	FieldHoldSeconds:       func(to, from *Facts) { to.HoldSeconds = clone(from.HoldSeconds) },
	FieldHangupCause:       func(to, from *Facts) { to.HangupCause = from.HangupCause },
	FieldHangupBy:          func(to, from *Facts) { to.HangupBy = from.HangupBy },
	FieldQueue:             func(to, from *Facts) { to.Queue = from.Queue },
	FieldDepartment:        func(to, from *Facts) { to.Department = from.Department },
	FieldIVRPath:           func(to, from *Facts) { to.IVRPath = list(from.IVRPath) },
	FieldDigits:            func(to, from *Facts) { to.Digits = list(from.Digits) },
	FieldCampaign:          func(to, from *Facts) { to.Campaign = from.Campaign },
	FieldCampaignID:        func(to, from *Facts) { to.Campaign.ID = from.Campaign.ID },
	FieldCampaignName:      func(to, from *Facts) { to.Campaign.Name = from.Campaign.Name },
	FieldLeadFields:        func(to, from *Facts) { to.LeadFields = overlay(nil, from.LeadFields) },
	FieldReference:         func(to, from *Facts) { to.Reference = from.Reference },
	FieldReferenceCRM:      func(to, from *Facts) { to.Reference.CRM = from.Reference.CRM },
	FieldReferenceClick:    func(to, from *Facts) { to.Reference.ClickToCall = from.Reference.ClickToCall },
	FieldRecordings: func(to, from *Facts) {
		to.Recordings = mergeRecordings(keepRecordings(to.Recordings, from.Recordings), from.Recordings)
	},
	FieldTranscription:       func(to, from *Facts) { to.Transcription = from.Transcription },
	FieldTranscriptionText:   func(to, from *Facts) { to.Transcription.Text = from.Transcription.Text },
	FieldTranscriptionURL:    func(to, from *Facts) { to.Transcription.URL = from.Transcription.URL },
	FieldTranscriptionState:  func(to, from *Facts) { to.Transcription.State = from.Transcription.State },
	FieldDisposition:         setDisposition,
	FieldDispositionValue:    setDisposition,
	FieldDispositionSubValue: setDisposition,
	FieldDispositionSetBy:    setDisposition,
	FieldDispositionSetAt:    setDisposition,
	FieldTags:                func(to, from *Facts) { to.Tags = list(from.Tags) },
	FieldNote:                func(to, from *Facts) { to.Note = from.Note },
	FieldValue:               func(to, from *Facts) { to.Value = clone(from.Value) },
	FieldLeadStatus:          func(to, from *Facts) { to.LeadStatus = from.LeadStatus },
	FieldScores:              func(to, from *Facts) { to.Scores = overlay(nil, from.Scores) },
	FieldFirstCall:           func(to, from *Facts) { to.FirstCall = clone(from.FirstCall) },
	FieldPriorCalls:          func(to, from *Facts) { to.PriorCalls = clone(from.PriorCalls) },
	FieldAttribution: func(to, from *Facts) {
		to.Attribution = from.Attribution
		to.Attribution.UTM = overlay(nil, from.Attribution.UTM)
	},
	FieldAttributionSource:   func(to, from *Facts) { to.Attribution.Source = from.Attribution.Source },
	FieldAttributionMedium:   func(to, from *Facts) { to.Attribution.Medium = from.Attribution.Medium },
	FieldAttributionCampaign: func(to, from *Facts) { to.Attribution.Campaign = from.Attribution.Campaign },
	FieldAttributionKeywords: func(to, from *Facts) { to.Attribution.Keywords = from.Attribution.Keywords },
	FieldAttributionLanding:  func(to, from *Facts) { to.Attribution.LandingPage = from.Attribution.LandingPage },
	FieldAttributionReferrer: func(to, from *Facts) { to.Attribution.Referrer = from.Attribution.Referrer },
	FieldAttributionUTM:      func(to, from *Facts) { to.Attribution.UTM = overlay(nil, from.Attribution.UTM) },
	FieldCost:                func(to, from *Facts) { to.Cost = clone(from.Cost) },
	FieldOperator:            func(to, from *Facts) { to.Operator = from.Operator },
	FieldCircle:              func(to, from *Facts) { to.Circle = from.Circle },
	FieldTimeZone:            func(to, from *Facts) { to.TimeZone = from.TimeZone },
	FieldProviderURL:         func(to, from *Facts) { to.ProviderURL = from.ProviderURL },
	FieldCustomData:          func(to, from *Facts) { to.CustomData = overlay(nil, from.CustomData) },
	FieldAttributes:          func(to, from *Facts) { to.Attributes = overlay(nil, from.Attributes) },
}

// setDisposition sets the disposition as one: who chose a value and when belongs to that value.
func setDisposition(to, from *Facts) {
	to.Disposition = from.Disposition
	to.Disposition.SetAt = normal(from.Disposition.SetAt)
}
