-- As the loader, but for deleting.
GRANT SELECT, INSERT, CREATE DATABASE, CREATE TABLE, ALTER ADD COLUMN ON *.* TO motherlode_sink
