-- Recordings: their permanent links, and the copies of them in the recording archive.

alter table sources
    add column recordings text not null default 'link' check (recordings in ('link', 'archive')),
    -- Hosts from which recordings may come, beside those of the provider.
    add column recording_hosts text[] not null default '{}',
    -- Days that copies are kept; null: for good.
    add column recording_days integer check (recording_days between 1 and 36500),
    add column recording_sign_in boolean not null default false;

alter table connections
    add column recordings text not null default 'link' check (recordings in ('link', 'vendor_link', 'upload', 'none'));

create table recordings (
    id            uuid primary key,
    workspace_id  uuid not null,
    source_id     uuid not null,
    call_id       uuid not null,
    -- What it is known by among the recordings of its call (records.RecordingKey).
    key           text not null,
    -- The secret of its permanent link, by which it is looked up; sealed to be shown again.
    token_hash    bytea not null unique,
    token_sealed  bytea not null,
    -- expected: announced, without an address. available: the phone system has it. archived: so have we. failed: a person
    -- can do something. unavailable: it will not come, or is no more.
    state         text not null check (state in ('expected', 'available', 'archived', 'failed', 'unavailable')),
    class         text not null default '',
    reason        text not null default '',
    detail        text not null default '',
    -- The phone system's address of it: another one is another chance.
    url_hash      bytea,
    attempts      integer not null default 0,
    next_at       timestamptz,
    lease         uuid,
    lease_until   timestamptz not null default '-infinity',
    -- Its copy, or what there is of it so far: the archive's upload, the checksum up to there, and what tells whether the
    -- phone system's file is still the same one.
    blob_key      text not null default '',
    upload_id     text not null default '',
    part_offset   bigint not null default 0,
    part_hash     bytea,
    validator     text not null default '',
    part_total    bigint not null default 0,
    size          bigint not null default 0,
    sha256        bytea,
    content_type  text not null default '',
    known_at      timestamptz not null default now(),
    available_at  timestamptz,
    archived_at   timestamptz,
    revoked_at    timestamptz,
    revoked_by    text not null default '',
    -- When the connections that upload it are to be told that it is there, until they have it.
    tell_at       timestamptz,
    tells         integer not null default 0,
    unique (call_id, key)
);
create index recordings_due on recordings (source_id, next_at) where next_at is not null;
create index recordings_leased on recordings (source_id, lease_until) where lease is not null;
create index recordings_archived on recordings (source_id, archived_at) where state = 'archived';
create index recordings_tell on recordings (tell_at) where tell_at is not null;

-- Every file that the archive has or may have: the row is there before the file, and until the file is gone.
create table recording_blobs (
    key           text primary key,
    workspace_id  uuid not null,
    recording_id  uuid not null,
    -- Since when it is to be deleted; null while it is wanted.
    doomed_at     timestamptz,
    created_at    timestamptz not null default now()
);
create index recording_blobs_doomed on recording_blobs (doomed_at) where doomed_at is not null;
