//! The one crate that joins the stages: fetch, decode, transform, write,
//! commit. [`Ingest::load`] in `object.rs` shows the whole flow on one screen.

mod chunk;
mod destination;
mod drift;
mod error;
mod fetch;
mod object;
mod preview;
mod reader;
mod report;
mod survey;
mod wiring;

pub use drift::Told;
pub use error::IngestError;
pub use object::{Ingest, Notice, Outcome, Settings};
pub use preview::{Preview, preview};
pub use report::{Report, StepTimes};
pub use wiring::WiringError;
