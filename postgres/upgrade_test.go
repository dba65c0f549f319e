package postgres

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/callsync/callsync/internal/pgtest"
	"github.com/callsync/callsync/records"
)

// A database as people had it before memberships, the audit log, alerts and the table of lists: whoever was signed in stays
// signed in, tokens go on working, and calls stand in the list as they did.
func TestUpgradeKeepsPeopleAndCalls(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	old := fstest.MapFS{}
	names, err := fs.Glob(migrationFiles, "migrations/000[1-5]_*.sql")
	require.NoError(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(migrationFiles, name)
		require.NoError(t, err)
		old[name] = &fstest.MapFile{Data: text}
	}
	_, to, err := migrate(t.Context(), url, old)
	require.NoError(t, err)
	require.Equal(t, 5, to)

	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `
		insert into workspaces (id, name) values ('00000000-0000-7000-8000-000000000001', 'Acme');
		insert into users (id, workspace_id, email, name, password_hash, role, created_at) values
			('00000000-0000-7000-8000-000000000011', '00000000-0000-7000-8000-000000000001', 'anna@example.com', 'Anna', 'x', 'admin', now() - interval '1 day'),
			('00000000-0000-7000-8000-000000000012', '00000000-0000-7000-8000-000000000001', 'vic@example.com', 'Vic', 'x', 'viewer', now());
		insert into sessions (token_hash, user_id, workspace_id, expires_at) values
			('\xaa', '00000000-0000-7000-8000-000000000012', '00000000-0000-7000-8000-000000000001', now() + interval '1 hour');
		insert into api_tokens (token_hash, id, workspace_id, name) values
			('\xbb', '00000000-0000-7000-8000-000000000021', '00000000-0000-7000-8000-000000000001', 'script');
		insert into sources (id, workspace_id, provider, name, token_hash, token_sealed) values
			('00000000-0000-7000-8000-000000000031', '00000000-0000-7000-8000-000000000001', 'callrail', 'Main office', '\xcc', '\xcc');
		insert into connections (id, workspace_id, connector, name) values
			('00000000-0000-7000-8000-000000000041', '00000000-0000-7000-8000-000000000001', 'hubspot', 'HubSpot');
		insert into calls (id, workspace_id, source_id, state, revision, settled_revision, phase, status, direction, started_at, ended_at, customer_number, customer_name, complete) values
			('00000000-0000-7000-8000-000000000051', '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000031',
			 '{"provider_call_id": "CAL1", "recordings": [{"url": "https://example.com/1"}]}', 2, 2, 'ended', 'answered', 'inbound',
			 now() - interval '1 hour', now() - interval '50 minutes', '+14155550101', 'Jane Doe', true);
		insert into deliveries (id, workspace_id, connection_id, object, key, record_id, state, revision) values
			('00000000-0000-7000-8000-000000000061', '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000041', 'call', 'k',
			 '00000000-0000-7000-8000-000000000051', 'parked', 2);
		insert into receipt_results (receipt_id, workspace_id, source_id, state) values
			('00000000-0000-7000-8000-000000000071', '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000031', 'applied')`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))

	_, _, err = Migrate(t.Context(), url)
	require.NoError(t, err)
	db, err := Open(t.Context(), url, plainSealer{}, Options{})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	const workspace = "00000000-0000-7000-8000-000000000001"
	in, err := db.SessionUser(t.Context(), []byte{0xaa})
	require.NoError(t, err)
	require.Equal(t, []string{workspace, "Vic", records.RoleViewer}, []string{in.WorkspaceID, in.Name, in.Role})
	token, err := db.UseAPIToken(t.Context(), []byte{0xbb})
	require.NoError(t, err)
	require.Equal(t, []string{workspace, records.RoleAdmin}, []string{token.WorkspaceID, token.Role})
	for _, search := range []string{"", "jane", "555-0101", "CAL1"} {
		page, err := db.SearchCalls(t.Context(), workspace, records.CallFilter{Query: search, Limit: 10})
		require.NoError(t, err)
		require.Len(t, page.Items, 1, "search %q", search)
		require.Equal(t, records.CallOnHold, page.Items[0].State)
	}
}
