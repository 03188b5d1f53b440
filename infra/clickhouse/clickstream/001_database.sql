-- The tables of the clickstream lane. docs/clickstream-tables.md says when to ask which.
CREATE DATABASE IF NOT EXISTS clickstream
