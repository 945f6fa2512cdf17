-- A database of schema 1, as the first version wrote it; all of its text is made up.
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    notes TEXT NOT NULL,
    settings TEXT NOT NULL,
    transcripts TEXT NOT NULL,
    started TEXT NOT NULL,
    origin_ns INTEGER NOT NULL,
    ended TEXT,
    outcome TEXT
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    at_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_of_session ON events (session_id, id);
INSERT INTO sessions VALUES (1, 'live', 'notes', '{"tts.speed":1.35}', 'keep', '2026-10-01T09:00:00.000+00:00', 5000000000,
    '2026-10-01T09:05:00.000+00:00', 'ended');
INSERT INTO sessions VALUES (3, 'demo', '', '{}', 'redact', '2026-10-02T09:00:00.000+00:00', 0, NULL, NULL);
INSERT INTO events VALUES (1, 1, 6000000000, 'utterance', '{"utterance":1,"start_s":1.0,"end_s":2.5,"speaker":"other","text":"Когда запуск проекта","confidence":0.9,"language":"ru","backend":"whisper"}');
INSERT INTO events VALUES (2, 1, 6000000000, 'question', '{"turn":1,"utterance":1}');
INSERT INTO events VALUES (3, 1, 6100000000, 'thesis', '{"turn":1,"number":1,"text":"Третьего июня","source":"Запуск (plan.md)","status":"made","start_s":null,"spoken_s":0.0,"heard_s":0.0}');
INSERT INTO events VALUES (4, 1, 6500000000, 'thesis', '{"turn":1,"number":1,"text":"Третьего июня","source":"Запуск (plan.md)","status":"heard","start_s":1.3,"spoken_s":1.1,"heard_s":1.1}');
INSERT INTO events VALUES (5, 1, 7600000000, 'turn-ended', '{"turn":1,"outcome":"spoken","stages":[{"name":"asr","start_ns":5900000000,"end_ns":6000000000}]}');
INSERT INTO events VALUES (6, 1, 8000000000, 'weather', '{"sky":"blue"}');
INSERT INTO events VALUES (7, 3, 1000000000, 'utterance', '{"utterance":1,"start_s":1.0,"end_s":2.0,"speaker":"own","confidence":null,"language":"","backend":"","text_length":12}');
PRAGMA application_id = 1936684150;
PRAGMA user_version = 1;
