-- Documents name their databases and tables, which are made with the first object; `migrate apply
-- access --database NAME` grants these alone. Rows are deleted where a document says that a changed
-- object replaces the old one; its `select` runs over a temporary table; what a table remembers of
-- tokens, and which views are on it, is asked of the system. Nothing is dropped or emptied.
GRANT SELECT, INSERT, CREATE DATABASE, CREATE TABLE, ALTER ADD COLUMN, ALTER DELETE ON *.*,
    CREATE TEMPORARY TABLE ON *.*, SHOW TABLES ON *.*, TABLE ENGINE ON *,
    SELECT ON system.parts, SELECT ON system.merge_tree_settings
TO motherlode_loader
