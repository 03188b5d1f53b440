-- What the platform itself keeps on a cluster. docs/deploy.md says how these files are applied.
CREATE DATABASE IF NOT EXISTS motherlode
