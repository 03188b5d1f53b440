//! The vocabulary of Motherlode: what a source is, what an object and a chunk
//! of it are, how a column is typed, and what is to be done about an error.
//!
//! Everything here is pure: no I/O, no async, no AWS, no Arrow. Every other
//! crate depends on this one and on nothing beside it at its own level.

mod chunk;
mod clock;
mod column_type;
mod counts;
mod disposition;
pub mod document;
mod drift;
pub mod notification;
mod object;
mod rejected;
mod routing;
mod run;

pub use chunk::{BatchPlan, ChunkBounds, ChunkPlan, Token};
pub use clock::Clock;
pub use column_type::{ColumnType, TypeError};
pub use counts::Counts;
pub use disposition::{Disposed, Disposition};
pub use drift::{Drift, DriftAction, DriftKind};
pub use object::ObjectId;
pub use rejected::RejectedRow;
pub use routing::{Captures, Pattern, PatternError, Route, RouteError, route};
pub use run::{Run, StreamRecord};
