-- Tries to sign in are counted for all processes, and what is noted of sign-ins has a limit.

create table access_counts (
    -- A SHA-256 of what is counted (an address, an e-mail, both; an action of a person), so that no address of the network
    -- is kept here.
    key    bytea primary key,
    count  integer not null,
    -- From then on it is counted from the beginning, and the row may go.
    until  timestamptz not null
);
create index access_counts_until on access_counts (until);

-- Browsers in which a person has signed in. Their tries are counted by themselves, so that a stranger who guesses passwords
-- of an account from everywhere keeps its owner out of none of them.
create table known_browsers (
    token_hash  bytea primary key,
    user_id     uuid not null references users on delete cascade,
    -- Exact to a day.
    used_at     timestamptz not null default now()
);
create index known_browsers_user on known_browsers (user_id, used_at);
create index known_browsers_used on known_browsers (used_at);
