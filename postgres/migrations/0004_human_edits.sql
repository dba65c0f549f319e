-- What people changed in the CRMs survives: beside what callsync last wrote (deliveries.written), by CRM field.
alter table deliveries
    -- How the CRM showed it in its answer, where it is another spelling (cut, cleaned); of fields that are appended to, the
    -- part that is callsync's.
    add column shown      jsonb not null default '{}',
    -- Values of writes whose outcome is not recorded yet: {"field": [values]}.
    add column sent       jsonb not null default '{}',
    -- Edits of people that callsync has met: {"field": {"cause": "edited", "theirs": ...}} (records.Kept).
    add column kept       jsonb not null default '{}',
    -- Fields in which a person asked for callsync's value once: {"field": "the hash of the edit that they saw"}.
    add column overruled  jsonb not null default '{}';
