//! Documents against batches, from the outside: what a data engineer writes
//! and what then becomes of the rows.

mod accounting;
mod native;
mod nested;
mod policy;
mod steps;
mod support;
mod texts;
