-- The first run: the demo data, and the steps from an empty product to the first call.

-- Demo data is of a kind of its own; one set of it at a time.
create unique index sources_demo on sources (workspace_id) where provider = 'demo' and deleted_at is null;

-- When somebody put the first steps away; null while they are shown.
alter table workspaces add column steps_hidden_at timestamptz;
