package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/callsync/callsync/records"
)

// AlertStore keeps alerts and whom they are told.
type AlertStore interface {
	// AlertsPage lists alerts, the newest first.
	AlertsPage(ctx context.Context, workspaceID string, f records.AlertFilter) ([]records.Alert, error)
	// MuteAlert has no alert of the same kind and object told until a moment; a zero one ends that.
	MuteAlert(ctx context.Context, workspaceID, id string, until time.Time, who string) (records.Alert, error)
	AlertSettings(ctx context.Context, workspaceID string) (records.AlertSettings, error)
	PutAlertSettings(ctx context.Context, workspaceID string, s records.AlertSettings) error
	// AlertChannels lists channels without their secrets.
	AlertChannels(ctx context.Context, workspaceID string) ([]records.AlertChannel, error)
	AlertChannelByID(ctx context.Context, workspaceID, id string) (records.AlertChannel, error)
	// CreateAlertChannel is records.ErrConflict where the workspace has most already.
	CreateAlertChannel(ctx context.Context, c records.AlertChannel, most int) error
	UpdateAlertChannel(ctx context.Context, c records.AlertChannel) error
	DeleteAlertChannel(ctx context.Context, workspaceID, id string) error
	// BeginChannelTest is false where the channel was tested less than pause ago.
	BeginChannelTest(ctx context.Context, workspaceID, id string, pause time.Duration) (bool, error)
	ChannelTested(ctx context.Context, workspaceID, id, failure string) error
	// AlertMessages lists the newest messages.
	AlertMessages(ctx context.Context, workspaceID string, limit int) ([]records.SentMessage, error)
}

// Alerter sends messages on the channels of alerts.
type Alerter interface {
	// TestChannel sends a test and returns why it failed, as a sentence; empty where it did not.
	TestChannel(ctx context.Context, c records.AlertChannel) string
	// CheckSlack tells whether an address is an incoming webhook of Slack. Its error is the end of a sentence.
	CheckSlack(address string) error
	// HasMail tells whether there is a mail server.
	HasMail() bool
}

// AlertView is an alert as the API shows it.
type AlertView struct {
	ID         string            `json:"id"`
	Kind       records.AlertKind `json:"kind" doc:"source_silent, not_understood, refused, time_zone, connection_revoked, connection_unreachable, held_many, held_long, schema_drift or daily_quota."`
	Severity   string            `json:"severity" enum:"warning,critical"`
	State      string            `json:"state" enum:"open,resolved"`
	Title      string            `json:"title"`
	Reason     string            `json:"reason" doc:"What is wrong and what helps; of a resolved alert, how it ended."`
	Object     string            `json:"object" enum:"source,connection"`
	ObjectID   string            `json:"object_id"`
	ObjectName string            `json:"object_name"`
	URL        string            `json:"url" doc:"Where it is seen and cured."`
	Since      time.Time         `json:"since" doc:"When it began, as far as that is known."`
	OpenedAt   time.Time         `json:"opened_at"`
	ClearSince time.Time         `json:"clear_since,omitzero" doc:"Since when it has looked right again; it is resolved when that lasts."`
	ResolvedAt time.Time         `json:"resolved_at,omitzero"`
	ToldAt     time.Time         `json:"told_at,omitzero" doc:"When people were told first."`
	MutedUntil time.Time         `json:"muted_until,omitzero"`
	MutedBy    string            `json:"muted_by,omitempty"`
}

func (h *Handler) viewAlert(a records.Alert) AlertView {
	return AlertView{ID: a.ID, Kind: a.Kind, Severity: a.Severity, State: a.State, Title: a.Title(), Reason: a.Reason, Object: a.Object, ObjectID: a.ObjectID,
		ObjectName: a.ObjectName, URL: h.public.String() + a.Path(), Since: a.Since, OpenedAt: a.OpenedAt, ClearSince: a.ClearSince, ResolvedAt: a.ResolvedAt,
		ToldAt: a.ToldAt, MutedUntil: a.MutedUntil, MutedBy: a.MutedBy}
}

// AlertSettingsView is what admins have set.
type AlertSettingsView struct {
	HeldCount     int `json:"held_count" minimum:"1" maximum:"1000000" doc:"How many may be on hold for a connection."`
	HeldHours     int `json:"held_hours" minimum:"1" maximum:"720" doc:"For how many hours."`
	TroubleCount  int `json:"trouble_count" minimum:"1" maximum:"1000000" doc:"How many requests of a source may not be understood, or be refused, within an hour."`
	SilentMinutes int `json:"silent_minutes" minimum:"10" maximum:"1440" doc:"The shortest silence of a source that is told, however busy it usually is."`
	QuotaPercent  int `json:"quota_percent" minimum:"10" maximum:"100" doc:"The part of a CRM's daily quota from which on its use is told."`
}

// mostMuted is the longest mute, a year.
const mostMuted = 366 * 24

type (
	alertsQuery struct {
		PageQuery
		State string `query:"state" enum:"open,resolved" doc:"Default: both."`
	}
	muteIn struct {
		PathID
		Body struct {
			Hours int `json:"hours" minimum:"0" maximum:"8784" doc:"For how long; 0 ends it."`
		}
	}
	alertSettingsIn struct{ Body AlertSettingsView }
)

func (h *Handler) registerAlerts() {
	const tag = "Alerts"
	handle(h, viewer, get("/alerts", "List alerts", tag), h.listAlerts)
	handle(h, operator, post("/alerts/{id}/mute", "Tell nobody of an alert for some time", tag), h.muteAlert)
	handle(h, viewer, get("/alert-settings", "Show from when on people are told", tag), func(ctx context.Context, p principal, _ *none) (*answer[AlertSettingsView], error) {
		s, err := h.Store.AlertSettings(ctx, p.WorkspaceID)
		return &answer[AlertSettingsView]{AlertSettingsView(s)}, err
	})
	handle(h, admin, method(http.MethodPut, "/alert-settings", "Change from when on people are told", tag), func(ctx context.Context, p principal, in *alertSettingsIn) (*answer[AlertSettingsView], error) {
		return &answer[AlertSettingsView]{in.Body}, h.Store.PutAlertSettings(ctx, p.WorkspaceID, records.AlertSettings(in.Body))
	})
	h.registerAlertChannels()
}

func (h *Handler) listAlerts(ctx context.Context, p principal, in *alertsQuery) (*answer[List[AlertView]], error) {
	before, err := decodeCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := h.Store.AlertsPage(ctx, p.WorkspaceID, records.AlertFilter{State: in.State, Before: before.ID, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	rows, next := page(rows, in.Limit, func(a records.Alert) records.Cursor { return records.Cursor{At: a.CreatedAt, ID: a.ID} })
	items := make([]AlertView, 0, len(rows))
	for _, a := range rows {
		items = append(items, h.viewAlert(a))
	}
	return &answer[List[AlertView]]{List[AlertView]{Items: items, NextCursor: next}}, nil
}

func (h *Handler) muteAlert(ctx context.Context, p principal, in *muteIn) (*answer[AlertView], error) {
	a, err := h.mute(ctx, p, in.ID, in.Body.Hours)
	return &answer[AlertView]{h.viewAlert(a)}, err
}

func (h *Handler) mute(ctx context.Context, p principal, id string, hours int) (records.Alert, error) {
	if hours < 0 || hours > mostMuted {
		return records.Alert{}, invalid("hours", "Mute it for a year at most.")
	}
	var until time.Time
	if hours > 0 {
		until = h.Now().UTC().Add(time.Duration(hours) * time.Hour)
	}
	return h.Store.MuteAlert(ctx, p.WorkspaceID, id, until, p.Name)
}
