-- What a dashboard may do.
CREATE ROLE IF NOT EXISTS motherlode_reader
