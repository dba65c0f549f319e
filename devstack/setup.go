//go:build unix

package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
	"github.com/callsync/callsync/devstack/phone"
	"github.com/callsync/callsync/telephony/callerdesk"
	"github.com/callsync/callsync/telephony/callrail"
	"github.com/callsync/callsync/telephony/deepcall"
	"github.com/callsync/callsync/telephony/generic"
	"github.com/callsync/callsync/telephony/generic/genericfake"
	"github.com/callsync/callsync/telephony/smartflo"
	"github.com/callsync/callsync/telephony/xarios"
)

// setUp makes the demo's sources and the connections to the fake CRMs where they do not exist, through the public API.
func (s *Stack) setUp(ctx context.Context) error {
	var err error
	if s.ConnectionID, err = s.setUpConnection(ctx, s.opts.CRM, "Demo CRM", s.CRMURL, &s.state.ConnectionID); err != nil {
		return err
	}
	if s.AlsoID, err = s.setUpConnection(ctx, s.opts.Also, "Demo webhooks", s.AlsoURL, &s.state.AlsoID); err != nil {
		return err
	}
	if err := s.setUpMore(ctx); err != nil {
		return err
	}
	demo := lineState{s.state.SourceID, s.state.HookPath, s.SigningKey}
	if err := s.setUpLine(ctx, callrail.ID, "Demo phone", &demo); err != nil {
		return err
	}
	s.state.SourceID, s.state.HookPath = demo.ID, demo.HookPath
	s.SourceID, s.HookURL = demo.ID, s.URL+demo.HookPath
	for _, provider := range s.opts.Phones {
		if provider == callrail.ID {
			continue
		}
		line := s.state.Lines[provider]
		if line.Secret == "" {
			line.Secret = rand.Text()
		}
		if err := s.setUpLine(ctx, provider, "Demo "+provider, &line); err != nil {
			return err
		}
		if s.state.Lines == nil {
			s.state.Lines = map[string]lineState{}
		}
		s.state.Lines[provider] = line
	}
	return s.state.save(s.Dir)
}

// lineSettings are what the demo's sources have that their kinds of phone systems need; secret is the name of the setting
// that the line's secret is, where there is one.
var lineSettings = map[string]struct {
	zone, country, secret string
	config                map[string]string
}{
	callrail.ID:   {"America/New_York", "US", "signing_key", nil},
	smartflo.ID:   {"Asia/Kolkata", "IN", "header_secret", nil},
	callerdesk.ID: {"Asia/Kolkata", "IN", "", nil},
	deepcall.ID:   {"Asia/Kolkata", "IN", "", map[string]string{"user_id": "81234567"}},
	xarios.ID:     {"Europe/London", "GB", "static_token", map[string]string{"recording_link": "https://recordings.example/play/{recording_id}"}},
	generic.ID:    {"UTC", "US", "signing_key", map[string]string{"mapping": genericfake.JSONMapping}},
}

// setUpLine makes the source of one phone system, or brings it up to date.
func (s *Stack) setUpLine(ctx context.Context, provider, name string, line *lineState) error {
	defer func() {
		s.Lines = append(s.Lines, phone.Line{Provider: provider, URL: s.URL + line.HookPath, Secret: line.Secret})
	}()
	kind, ok := lineSettings[provider]
	if !ok {
		return fmt.Errorf("there is no demo of the phone system %s", provider)
	}
	settings := map[string]any{"name": name}
	if kind.secret != "" {
		settings["secrets"] = map[string]string{kind.secret: line.Secret}
	}
	if kind.config != nil {
		settings["config"] = kind.config
	}
	for name, d := range map[string]time.Duration{"window_seconds": s.opts.Window, "quiet_seconds": s.opts.Quiet, "stale_seconds": s.opts.Stale} {
		if d != 0 {
			settings[name] = int64(d / time.Second)
		}
	}
	if line.ID != "" {
		err := s.API.Do(ctx, http.MethodPatch, "/sources/"+line.ID, settings, nil)
		if !isNotFound(err) {
			return err
		}
	}
	s.say("adding the demo phone system (%s)", provider)
	settings["provider"] = provider
	settings["time_zone"] = kind.zone
	settings["default_country"] = kind.country
	var made struct {
		ID       string `json:"id"`
		HookURLs []struct {
			Event string `json:"event"`
			URL   string `json:"url"`
		} `json:"hook_urls"`
	}
	if err := s.API.Do(ctx, http.MethodPost, "/sources", settings, &made); err != nil {
		return err
	}
	if len(made.HookURLs) == 0 {
		return errors.New("the new source has no hook URL")
	}
	hook := made.HookURLs[0]
	u, err := url.Parse(hook.URL)
	if err != nil {
		return fmt.Errorf("the hook URL of the new source: %w", err)
	}
	line.ID, line.HookPath = made.ID, strings.TrimSuffix(u.Path, "/"+hook.Event)
	return nil
}

// setUpConnection makes the connection to a fake CRM, or brings it up to date, and tests it.
func (s *Stack) setUpConnection(ctx context.Context, crm CRM, name, address string, known *string) (id string, err error) {
	if crm.Handler == nil {
		return "", nil
	}
	config := map[string]string{"base_url": address}
	maps.Copy(config, crm.Config)
	settings := map[string]any{"name": name, "config": config, "secrets": crm.Secrets}
	err = &StatusError{Status: http.StatusNotFound}
	if *known != "" {
		// Its address may be another one this time.
		err = s.API.Do(ctx, http.MethodPatch, "/connections/"+*known, settings, nil)
	}
	if isNotFound(err) {
		s.say("connecting the fake CRM (%s)", crm.Connector)
		settings["connector"] = crm.Connector
		var made struct {
			ID string `json:"id"`
		}
		if err = s.API.Do(ctx, http.MethodPost, "/connections", settings, &made); err == nil {
			*known = made.ID
			err = s.state.save(s.Dir)
		}
	}
	if err != nil {
		return "", err
	}
	var report connectors.Report
	if err := s.API.Do(ctx, http.MethodPost, "/connections/"+*known+"/test", nil, &report); err != nil {
		return "", err
	}
	for _, check := range report.Checks {
		if !check.OK {
			return "", fmt.Errorf("the connect test of the fake CRM failed: %s: %s", check.Name, check.Text)
		}
	}
	return *known, nil
}

// setUpMore makes the connections to the further fake CRMs, and puts those on hold whose fakes were there another time.
func (s *Stack) setUpMore(ctx context.Context) error {
	here := map[string]bool{}
	for _, crm := range s.opts.More {
		here[crm.Connector] = true
		known := s.state.more(crm.Connector)
		id, err := s.setUpConnection(ctx, crm, "Demo "+crm.Connector, s.MoreURLs[crm.Connector], &known.ID)
		if err != nil {
			return err
		}
		if known.Paused {
			if err := s.API.Do(ctx, http.MethodPost, "/connections/"+id+"/resume", nil, nil); err != nil {
				return err
			}
			known.Paused = false
		}
	}
	for connector, known := range s.state.More {
		if here[connector] || known.ID == "" || known.Paused {
			continue
		}
		err := s.API.Do(ctx, http.MethodPost, "/connections/"+known.ID+"/pause", nil, nil)
		if err != nil && !isNotFound(err) {
			return err
		}
		known.Paused = true
	}
	return nil
}

func isNotFound(err error) bool {
	refused, ok := errors.AsType[*StatusError](err)
	return ok && refused.Status == http.StatusNotFound
}
