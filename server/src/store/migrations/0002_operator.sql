-- The operator's side: who is signed in, what triggers there are, who did what.

ALTER TABLE api_keys ADD COLUMN expires_ms INTEGER;

-- switched off by an operator: refused with account_deactivated
ALTER TABLE sites ADD COLUMN deactivated INTEGER NOT NULL DEFAULT 0 CHECK (deactivated IN (0, 1));

ALTER TABLE usage_days ADD COLUMN connections_peak INTEGER NOT NULL DEFAULT 0;

CREATE TABLE sessions (
    -- shown to its user, to tell sessions apart; opens nothing
    id           TEXT    PRIMARY KEY,
    -- SHA-256 of the cookie's token
    hash         BLOB    NOT NULL UNIQUE,
    account_id   INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_ms   INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL
) STRICT;

CREATE INDEX sessions_by_account ON sessions (account_id);

CREATE TABLE triggers (
    -- 16 hex characters; the last part of a webhook's address
    id             TEXT    PRIMARY KEY,
    site_id        INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    -- what the operator wrote, as JSON
    spec           TEXT    NOT NULL,
    -- webhooks: what the sender signs with
    webhook_secret TEXT,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    fired          INTEGER NOT NULL DEFAULT 0,
    last_fired_ms  INTEGER
) STRICT;

CREATE INDEX triggers_by_site ON triggers (site_id, position);

-- Counts the changes of a site's list, removals included, so that an ETag never comes back.
CREATE TABLE trigger_lists (
    site_id INTEGER PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE connect_codes (
    -- SHA-256 of the code
    hash       BLOB    PRIMARY KEY,
    site_url   TEXT    NOT NULL,
    site_name  TEXT    NOT NULL,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms    INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    address  TEXT,
    action   TEXT    NOT NULL,
    site_key TEXT,
    subject  TEXT    NOT NULL,
    details  TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_time ON audit (at_ms);
