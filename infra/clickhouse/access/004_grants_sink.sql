-- As the loader, but for deleting and for temporary tables.
GRANT SELECT, INSERT, CREATE DATABASE, CREATE TABLE, ALTER ADD COLUMN ON *.*,
    SHOW TABLES ON *.*, TABLE ENGINE ON *,
    SELECT ON system.parts, SELECT ON system.merge_tree_settings
TO motherlode_sink
