-- What kafka-sink may do.
CREATE ROLE IF NOT EXISTS motherlode_sink
