//go:build unix

package devstack

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/callsync/callsync/internal/secretbox"
)

// state is what a stack must remember to come up again as the same one. It is kept in the stack's folder.
type state struct {
	SecretKeys    string `json:"secret_keys"`
	AdminToken    string `json:"admin_token"`
	AdminPassword string `json:"admin_password"`
	SigningKey    string `json:"signing_key"`
	// CRMAddr is where the fake CRM listened; it is taken again where it is free.
	CRMAddr string `json:"crm_addr,omitempty"`
	// SourceID and HookPath are the demo source's: the API shows a hook URL only once.
	SourceID     string `json:"source_id,omitempty"`
	HookPath     string `json:"hook_path,omitempty"`
	ConnectionID string `json:"connection_id,omitempty"`
	// Lines are the sources of the other phone systems, by their kind.
	Lines map[string]lineState `json:"lines,omitempty"`
	// AlsoAddr and AlsoID are the second fake CRM's address and connection.
	AlsoAddr string `json:"also_addr,omitempty"`
	AlsoID   string `json:"also_id,omitempty"`
	// More are the addresses and connections of further fake CRMs, by their connector.
	More map[string]*crmState `json:"more,omitempty"`
}

// crmState is a fake CRM beside the first two.
type crmState struct {
	Addr string `json:"addr"`
	ID   string `json:"id"`
	// Paused tells that the connection was put on hold because its fake was not started.
	Paused bool `json:"paused,omitempty"`
}

// more is what is known of a further fake CRM.
func (s *state) more(connector string) *crmState {
	if s.More == nil {
		s.More = map[string]*crmState{}
	}
	if s.More[connector] == nil {
		s.More[connector] = &crmState{}
	}
	return s.More[connector]
}

// lineState is a source of the demo phone.
type lineState struct {
	ID       string `json:"id"`
	HookPath string `json:"hook_path"`
	Secret   string `json:"secret"`
}

func loadState(dir string) (*state, error) {
	s := &state{
		SecretKeys: secretbox.Generate("devstack"), AdminToken: "demo-" + rand.Text(), AdminPassword: rand.Text()[:12],
		SigningKey: rand.Text(),
	}
	text, err := os.ReadFile(stateFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return s, s.save(dir)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("devstack: read %s: %w", stateFile(dir), err)
	}
	return s, nil
}

func (s *state) save(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	draft := stateFile(dir) + ".new"
	if err := os.WriteFile(draft, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(draft, stateFile(dir))
}

func stateFile(dir string) string { return filepath.Join(dir, "state.json") }
