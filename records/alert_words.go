package records

import "net/url"

// Title says in a few words what an alert of a kind is about, given what its object is called.
func (kind AlertKind) Title(name string) string {
	switch kind {
	case AlertSilent:
		return name + " has gone silent"
	case AlertNotUnderstood:
		return "Requests of " + name + " are not understood"
	case AlertRefused:
		return "Requests of " + name + " are refused"
	case AlertTimeZone:
		return "The time zone of " + name + " looks wrong"
	case AlertRevoked:
		return name + " is disconnected"
	case AlertUnreachable:
		return name + " does not answer"
	case AlertHeldMany:
		return "Many calls are on hold for " + name
	case AlertHeldLong:
		return "Calls have long been on hold for " + name
	case AlertSchema:
		return "The fields of " + name + " have changed"
	case AlertQuota:
		return "The daily quota of " + name + " is nearly used up"
	}
	return name
}

// Label says what a kind tells, where no object is named.
func (kind AlertKind) Label() string {
	switch kind {
	case AlertSilent:
		return "A source has gone silent"
	case AlertNotUnderstood:
		return "Requests are not understood"
	case AlertRefused:
		return "Requests are refused"
	case AlertTimeZone:
		return "A time zone looks wrong"
	case AlertRevoked:
		return "A connection is disconnected"
	case AlertUnreachable:
		return "A CRM does not answer"
	case AlertHeldMany:
		return "Many calls are on hold"
	case AlertHeldLong:
		return "Calls have long been on hold"
	case AlertSchema:
		return "The fields of a CRM have changed"
	case AlertQuota:
		return "A daily quota is nearly used up"
	}
	return string(kind)
}

// Title says in a few words what an alert is about.
func (a Alert) Title() string { return a.Kind.Title(a.ObjectName) }

// Path leads to where the trouble is seen and cured, below the public address.
func (a Alert) Path() string {
	switch a.Kind {
	case AlertSilent, AlertTimeZone:
		return "/sources/" + a.ObjectID
	case AlertNotUnderstood:
		return "/receipts?" + url.Values{"source": {a.ObjectID}, "state": {ReceiptQuarantined}}.Encode()
	case AlertRefused:
		return "/receipts?" + url.Values{"source": {a.ObjectID}, "state": {ReceiptRejected}}.Encode()
	case AlertHeldMany, AlertHeldLong:
		return "/holds?connection=" + a.ObjectID
	}
	return "/connections/" + a.ObjectID
}
