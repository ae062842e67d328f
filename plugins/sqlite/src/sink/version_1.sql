PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    ts INTEGER NOT NULL,
    level TEXT,
    service TEXT,
    message TEXT,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_time ON events (ts, level, service);
CREATE TABLE store (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
INSERT INTO store VALUES ('identity', lower(hex(randomblob(16))));
INSERT INTO store VALUES ('next_id', 5);
INSERT INTO events VALUES
    (1, 1760000000000000000, 'warn', 'a', 'old order one', '{"severity":61.5,"anomaly":{"score":0.75,"alarm":true}}'),
    (2, 1760000000000000001, 'INFO', 'a', 'old order two', '{"severity":"high","burst.event":"start"}'),
    (4, 1760000000000000002, NULL, NULL, NULL, '{"anomaly.score":0.5,"anomaly.alarm":false}');
PRAGMA application_id = 1818718828;
PRAGMA user_version = 1;
