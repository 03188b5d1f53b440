//! From decoded Arrow batches to batches that ClickHouse takes as they are,
//! plus the rows that do not fit, each with its reason.
//!
//! Pure and synchronous. A [`Mapper`] is planned once per object from its
//! source document; it then casts every column to the Arrow type that
//! ClickHouse reads for the column's type ([`arrow_type`]), puts bad rows
//! aside, and does the document's steps on what is left. Nothing is ever
//! clamped, wrapped, truncated or defaulted unless the document says so; the
//! exceptions, kept because ClickHouse does the same, are that digits of a second
//! beyond a time column's precision are cut off towards the past, that a float
//! column takes the nearest float there is, and that of a local time which the
//! clocks showed twice the earlier moment is meant.
//!
//! In one thing ClickHouse reads something else: a time without a zone is UTC, or in
//! the document's `timestamp.zone`, and never in the zone of the column's type, which
//! only says how the moment is shown.

mod cast;
mod coordinates;
mod error;
mod mapper;
mod plan;
mod provenance;
mod settle;
mod steps;

pub use cast::json_problem;
pub use coordinates::{Coordinates, added_columns};
pub use error::MapError;
pub use mapper::{Mapped, Mapper, check};
pub use native::{arrow_field, arrow_type};
pub use plan::MappedField;
pub use provenance::{Provenance, provenance_columns};
