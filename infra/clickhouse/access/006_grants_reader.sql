-- Add the databases of your documents.
GRANT SELECT ON clickstream.* TO motherlode_reader
