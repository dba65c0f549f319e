-- Who may come in: people in several workspaces, invitations, sessions that people can see and end, tokens with a scope.

-- A person's place in a workspace. The name is the one they go by there, so that an admin who corrects it changes nothing
-- in another workspace.
create table memberships (
    user_id       uuid not null references users on delete cascade,
    workspace_id  uuid not null references workspaces,
    name          text not null default '',
    role          text not null check (role in ('viewer', 'operator', 'admin')),
    disabled_at   timestamptz,
    -- The sign-in goes to the workspace that was used last.
    used_at       timestamptz,
    created_at    timestamptz not null default now(),
    primary key (user_id, workspace_id)
);
create index memberships_workspace on memberships (workspace_id, user_id);
insert into memberships (user_id, workspace_id, name, role, created_at) select id, workspace_id, name, role, created_at from users;

alter table users
    -- Operators of the installation may add workspaces.
    add column installation         boolean not null default false,
    add column password_changed_at  timestamptz not null default now();
update users set installation = true where id = (select id from users order by created_at, id limit 1);
alter table users drop column workspace_id, drop column role;

alter table sessions
    add column id            uuid not null default gen_random_uuid() unique,
    -- The family of the browser ("Firefox on Windows"): enough to tell one's own sessions apart.
    add column browser       text not null default '',
    -- Exact to some minutes.
    add column seen_at       timestamptz not null default now(),
    -- expires_at moves on while the session is used, never past this.
    add column ends_at       timestamptz;
update sessions set ends_at = expires_at;
alter table sessions alter column ends_at set not null;
create index sessions_user on sessions (user_id, workspace_id);

create table invitations (
    id            uuid primary key,
    workspace_id  uuid not null references workspaces,
    token_hash    bytea not null unique,
    email         text not null,
    role          text not null check (role in ('viewer', 'operator', 'admin')),
    -- null: the operator, or a token that nobody's account stands behind. What a person has invited goes with them.
    invited_by    uuid references users on delete cascade,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    accepted_at   timestamptz
);
create unique index invitations_open on invitations (workspace_id, lower(email)) where accepted_at is null;
create index invitations_by on invitations (invited_by);

-- Links by which a person chooses another password. The operator makes them.
create table password_links (
    token_hash    bytea primary key,
    user_id       uuid not null references users on delete cascade,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null
);
create index password_links_user on password_links (user_id);

alter table api_tokens
    -- What the token may do: as a viewer (scope read), an operator (operate) or an admin (admin).
    add column role        text not null default 'admin' check (role in ('viewer', 'operator', 'admin')),
    -- The beginning of the token, by which people recognise it.
    add column prefix      text not null default '',
    add column expires_at  timestamptz,
    -- Who made it, and never may do less than it; null: the operator, or a token of theirs.
    add column made_by     uuid references users on delete cascade;
create index api_tokens_made_by on api_tokens (made_by);

-- The way back from a CRM's consent page is taken by the session that began it.
alter table grant_requests add column session_id uuid;
