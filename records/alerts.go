package records

import "time"

// AlertKind is one thing that can be wrong with a source or a connection.
type AlertKind string

// The kinds of alerts.
const (
	// AlertSilent: a source sends nothing at a time at which it usually does.
	AlertSilent AlertKind = "source_silent"
	// AlertNotUnderstood and AlertRefused: more and more requests of a source cannot be read, or fail its signature check.
	AlertNotUnderstood AlertKind = "not_understood"
	AlertRefused       AlertKind = "refused"
	// AlertTimeZone: the times of a source are probably read in a wrong zone.
	AlertTimeZone AlertKind = "time_zone"
	// AlertRevoked: a connection's CRM takes its credentials no more. AlertUnreachable: it does not answer.
	AlertRevoked     AlertKind = "connection_revoked"
	AlertUnreachable AlertKind = "connection_unreachable"
	// AlertHeldMany and AlertHeldLong: much is on hold for a connection, or something has been for long.
	AlertHeldMany AlertKind = "held_many"
	AlertHeldLong AlertKind = "held_long"
	// AlertSchema: a mapping does not fit the CRM's fields any more.
	AlertSchema AlertKind = "schema_drift"
	// AlertQuota: most of a CRM's daily quota is used.
	AlertQuota AlertKind = "daily_quota"
)

// AlertKinds are all kinds, in the order in which they are shown.
var AlertKinds = []AlertKind{AlertSilent, AlertNotUnderstood, AlertRefused, AlertTimeZone, AlertRevoked, AlertUnreachable,
	AlertHeldMany, AlertHeldLong, AlertSchema, AlertQuota}

// What alerts are about.
const (
	AlertOfSource     = "source"
	AlertOfConnection = "connection"
)

// How bad it is: a warning may grow into something; while it is critical, calls do not get where they belong.
const (
	SeverityWarning  = "warning"
	SeverityCritical = "critical"
)

// The states of an alert. One that is seen has not lasted long enough to be told.
const (
	AlertSeen     = "seen"
	AlertOpen     = "open"
	AlertResolved = "resolved"
)

// Alert is one time that something was wrong.
type Alert struct {
	ID          string
	WorkspaceID string
	Kind        AlertKind
	// Object is AlertOfSource or AlertOfConnection; ObjectName is what people call it.
	Object, ObjectID, ObjectName string
	Severity                     string
	State                        string
	// Reason says what is wrong, for people; of a resolved alert, how it ended.
	Reason string
	// Since is when it began, as far as that is known.
	Since      time.Time
	CreatedAt  time.Time
	OpenedAt   time.Time
	ClearSince time.Time
	ResolvedAt time.Time
	// ToldAt is when people were told first, RemindedAt when last; zero while they were not.
	ToldAt     time.Time
	RemindedAt time.Time
	// MutedUntil is until when it is not told, zero where it is; MutedBy by whom.
	MutedUntil time.Time
	MutedBy    string
}

// AlertSettings are the thresholds of a workspace.
type AlertSettings struct {
	// HeldCount is how many may be on hold for a connection, HeldHours for how long.
	HeldCount int
	HeldHours int
	// TroubleCount is how many requests of a source may fail within an hour.
	TroubleCount int
	// SilentMinutes is the shortest silence of a source that is told, however busy it is.
	SilentMinutes int
	// QuotaPercent is the part of a daily quota from which on its use is told.
	QuotaPercent int
}

// DefaultAlertSettings are those of a workspace that has set none.
var DefaultAlertSettings = AlertSettings{HeldCount: 25, HeldHours: 24, TroubleCount: 10, SilentMinutes: 30, QuotaPercent: 85}

// The kinds of channels.
const (
	ChannelEmail   = "email"
	ChannelSlack   = "slack"
	ChannelWebhook = "webhook"
)

// AlertChannel is where alerts are told.
type AlertChannel struct {
	ID          string
	WorkspaceID string
	Kind        string
	Name        string
	// Config is "to" of an e-mail channel (addresses separated by commas) and "url" of a webhook. Secrets are "url" of
	// Slack, whose address is its secret, and "signing_secret" of a webhook.
	Config  map[string]string
	Secrets map[string]string
	// Kinds are those that it wants; nil means all.
	Kinds       []AlertKind
	MinSeverity string
	Enabled     bool
	// SentAt is when something was last sent. FailedAt and Failure, a sentence, tell of a failure since.
	SentAt    time.Time
	FailedAt  time.Time
	Failure   string
	TestedAt  time.Time
	CreatedAt time.Time
}

// What a message tells.
const (
	AlertEventOpened   = "opened"
	AlertEventReminded = "reminded"
	AlertEventResolved = "resolved"
	AlertEventTest     = "test"
)

// The states of a message.
const (
	MessageQueued = "queued"
	MessageSent   = "sent"
	MessageFailed = "failed"
)

// AlertMessage is what is told of an alert, as it was when its state changed. It names sources and connections and holds
// nothing of calls.
type AlertMessage struct {
	Event    string    `json:"event"`
	AlertID  string    `json:"alert_id"`
	Kind     AlertKind `json:"kind"`
	Severity string    `json:"severity"`
	// Object, ObjectID and ObjectName as in Alert; Workspace is the workspace's name.
	Object     string    `json:"object"`
	ObjectID   string    `json:"object_id"`
	ObjectName string    `json:"object_name"`
	Workspace  string    `json:"workspace"`
	Title      string    `json:"title"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
	// Zone is in which its times are told; empty for UTC.
	Zone string `json:"zone,omitempty"`
	// Path leads to what it is about, below the public address.
	Path string    `json:"path"`
	At   time.Time `json:"at"`
}

// QueuedMessage is a message with the channel it goes to.
type QueuedMessage struct {
	ID       string
	Said     AlertMessage
	Attempts int
	// Expires is when it is given up.
	Expires time.Time
	Channel AlertChannel
}

// SentMessage is a message of a workspace with what became of it.
type SentMessage struct {
	ID          string
	ChannelID   string
	ChannelName string
	Said        AlertMessage
	State       string
	Attempts    int
	Failure     string
	CreatedAt   time.Time
	DueAt       time.Time
	EndedAt     time.Time
}

// SendResult is what became of an attempt to send a message. Without a failure it has been sent. A failure that is Final is
// not tried again; others are at RetryAt.
type SendResult struct {
	Failure string
	Final   bool
	// Partly tells that it was sent, though not to all, for the reason in Failure.
	Partly  bool
	RetryAt time.Time
}

// BusyHour is an hour in which a source sent something.
type BusyHour struct {
	// Hour is its beginning, a whole hour of UTC.
	Hour     time.Time
	Received int64
	// Parts is in how many of its twelve five-minute parts something came.
	Parts int
	// FirstAt and LastAt are of its first and last requests, Gap is the longest silence between two of it.
	FirstAt, LastAt time.Time
	Gap             time.Duration
}

// WatchTurn is one look of the watch over all workspaces.
type WatchTurn struct {
	At time.Time
	// WatchedFrom is since when somebody has looked without a break.
	WatchedFrom time.Time
	// CountedTo is up to when arrivals are in busy hours.
	CountedTo time.Time
}

// SourceTrouble is what of a source's requests failed lately.
type SourceTrouble struct {
	// NotUnderstood and Refused are of the last hour; NotUnderstoodDay and RefusedDay of the last 24.
	NotUnderstood, Refused       int64
	NotUnderstoodDay, RefusedDay int64
	// Of the newest Looked requests, NewestNotUnderstood and NewestRefused failed.
	Looked                             int64
	NewestNotUnderstood, NewestRefused int64
	// Since is when the oldest of the day failed.
	NotUnderstoodSince, RefusedSince time.Time
}

// HeldState is what is on hold for a connection.
type HeldState struct {
	Count  int64
	Oldest time.Time
}

// DriftState counts the open issues of a connection's CRM fields.
type DriftState struct {
	Blocking, Others int64
	Since            time.Time
}

// AlertFilter chooses alerts of a list.
type AlertFilter struct {
	// State is AlertOpen or AlertResolved; empty means both.
	State  string
	Before string
	Limit  int
}

// AlertChange is what one step makes of an alert.
type AlertChange struct {
	// Alert is as it is now.
	Alert Alert
	// Drop forgets it: it was never told and is gone.
	Drop bool
	// Event is what is told of the change; empty for nothing. Said is the text.
	Event string
	Said  AlertMessage
}
