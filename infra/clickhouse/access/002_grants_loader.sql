-- Documents name their databases and tables, which are made with the first object. Rows are deleted
-- where a document says that a changed object replaces the old one. Nothing is dropped or emptied.
GRANT SELECT, INSERT, CREATE DATABASE, CREATE TABLE, ALTER ADD COLUMN, ALTER DELETE ON *.* TO motherlode_loader
