-- The relay's own state: who may publish, and with which secrets. Never a message.

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    -- argon2id, PHC string
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('owner', 'viewer')),
    active        INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created_ms    INTEGER NOT NULL,
    last_login_ms INTEGER
) STRICT;

CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL,
    -- SHA-256 of the key's 64 hex characters; the key itself is shown once and kept nowhere
    hash         BLOB    NOT NULL UNIQUE,
    -- its first characters, to tell keys apart
    prefix       TEXT    NOT NULL,
    -- separated by spaces
    scopes       TEXT    NOT NULL,
    account_id   INTEGER REFERENCES accounts (id) ON DELETE SET NULL,
    created_ms   INTEGER NOT NULL,
    last_used_ms INTEGER,
    revoked_ms   INTEGER
) STRICT;

-- AUTOINCREMENT: an id is never used twice, so that counters of a removed site cannot pass to another.
CREATE TABLE sites (
    id                               INTEGER PRIMARY KEY AUTOINCREMENT,
    site_key                         TEXT    NOT NULL UNIQUE,
    -- scheme and host in lower case, no default port, no trailing slash
    url                              TEXT    NOT NULL UNIQUE,
    name                             TEXT    NOT NULL,
    status                           TEXT    NOT NULL CHECK (status IN ('active', 'archived')),
    registered_by                    TEXT    NOT NULL CHECK (registered_by IN ('api_key', 'cli', 'connect', 'admin')),
    account_id                       INTEGER REFERENCES accounts (id) ON DELETE SET NULL,
    publish_secret                   TEXT    NOT NULL,
    publish_secret_previous          TEXT,
    publish_secret_previous_until_ms INTEGER,
    jwt_secret                       TEXT    NOT NULL,
    jwt_secret_previous              TEXT,
    jwt_secret_previous_until_ms     INTEGER,
    -- NULL: as the settings say; 0: no limit
    connections_max                  INTEGER,
    publish_rate                     INTEGER,
    publish_burst                    INTEGER,
    monthly_quota                    INTEGER,
    -- JSON array; empty: any
    origins                          TEXT    NOT NULL DEFAULT '[]',
    dispatch_token                   TEXT,
    dispatch_open                    INTEGER NOT NULL DEFAULT 0 CHECK (dispatch_open IN (0, 1)),
    created_ms                       INTEGER NOT NULL,
    updated_ms                       INTEGER NOT NULL,
    archived_ms                      INTEGER
) STRICT;

CREATE TABLE usage_days (
    site_id         INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    -- days since 1970-01-01, UTC
    day             INTEGER NOT NULL,
    published       INTEGER NOT NULL DEFAULT 0,
    published_bytes INTEGER NOT NULL DEFAULT 0,
    delivered       INTEGER NOT NULL DEFAULT 0,
    delivered_bytes INTEGER NOT NULL DEFAULT 0,
    refused         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, day)
) STRICT, WITHOUT ROWID;

-- What the monthly quota counts.
CREATE TABLE usage_months (
    site_id   INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    -- months since January 1970, UTC
    month     INTEGER NOT NULL,
    published INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, month)
) STRICT, WITHOUT ROWID;
