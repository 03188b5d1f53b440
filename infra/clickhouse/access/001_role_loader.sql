-- What mother and reconcile may do. A user of theirs is yours to make: docs/deploy.md.
CREATE ROLE IF NOT EXISTS motherlode_loader
