-- Each event once, its latest copy: merged while it is asked.
CREATE OR REPLACE VIEW clickstream.events_current AS
SELECT * FROM clickstream.events FINAL
