//go:build unix

package devstack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/callsync/callsync/connectors"
)

// setUp makes the demo source and the connection to the fake CRM where they do not exist, through the public API.
func (s *Stack) setUp(ctx context.Context) error {
	if err := s.setUpConnection(ctx); err != nil {
		return err
	}
	return s.setUpSource(ctx)
}

func (s *Stack) setUpSource(ctx context.Context) error {
	settings := map[string]any{
		"name":    "Demo phone",
		"secrets": map[string]string{"signing_key": s.SigningKey},
	}
	for name, d := range map[string]time.Duration{"window_seconds": s.opts.Window, "quiet_seconds": s.opts.Quiet, "stale_seconds": s.opts.Stale} {
		if d != 0 {
			settings[name] = int64(d / time.Second)
		}
	}
	if s.state.SourceID != "" {
		err := s.API.Do(ctx, http.MethodPatch, "/sources/"+s.state.SourceID, settings, nil)
		if !isNotFound(err) {
			s.useSource()
			return err
		}
	}
	s.say("adding the demo phone system")
	settings["provider"] = "callrail"
	settings["time_zone"] = "America/New_York"
	settings["default_country"] = "US"
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
	s.state.SourceID, s.state.HookPath = made.ID, strings.TrimSuffix(u.Path, "/"+hook.Event)
	s.useSource()
	return s.state.save(s.Dir)
}

func (s *Stack) useSource() { s.SourceID, s.HookURL = s.state.SourceID, s.URL+s.state.HookPath }

func (s *Stack) setUpConnection(ctx context.Context) error {
	crm := s.opts.CRM
	if crm.Handler == nil {
		return nil
	}
	config := map[string]string{"base_url": s.CRMURL}
	maps.Copy(config, crm.Config)
	settings := map[string]any{"name": "Demo CRM", "config": config, "secrets": crm.Secrets}
	var err error = &StatusError{Status: http.StatusNotFound}
	if s.state.ConnectionID != "" {
		// Its address may be another one this time.
		err = s.API.Do(ctx, http.MethodPatch, "/connections/"+s.state.ConnectionID, settings, nil)
	}
	if isNotFound(err) {
		s.say("connecting the fake CRM")
		settings["connector"] = crm.Connector
		var made struct {
			ID string `json:"id"`
		}
		if err = s.API.Do(ctx, http.MethodPost, "/connections", settings, &made); err == nil {
			s.state.ConnectionID = made.ID
			err = s.state.save(s.Dir)
		}
	}
	if err != nil {
		return err
	}
	s.ConnectionID = s.state.ConnectionID
	var report connectors.Report
	if err := s.API.Do(ctx, http.MethodPost, "/connections/"+s.ConnectionID+"/test", nil, &report); err != nil {
		return err
	}
	for _, check := range report.Checks {
		if !check.OK {
			return fmt.Errorf("the connect test of the fake CRM failed: %s: %s", check.Name, check.Text)
		}
	}
	return nil
}

func isNotFound(err error) bool {
	refused, ok := errors.AsType[*StatusError](err)
	return ok && refused.Status == http.StatusNotFound
}
