//! The one crate that joins the stages: fetch, decode, transform, write,
//! commit. [`Ingest::load`] in `object.rs` shows the whole flow of an object on one
//! screen, [`Ingest::take`] in `stream/mod.rs` that of records of Kafka.

mod accounting;
mod changed;
mod chunk;
mod destination;
mod drift;
mod error;
mod failback;
mod failover;
mod fetch;
mod find;
mod health;
mod object;
mod parts;
mod preview;
mod quarantine;
mod reader;
mod reconcile;
mod replay;
mod report;
mod resume;
mod settle;
mod stream;
mod survey;
mod wiring;

pub use accounting::{Accounts, Hour, Leak};
pub use drift::Told;
pub use error::IngestError;
pub use failback::{Scope, Summary, Watch};
pub use object::{Ingest, Notice, Outcome, Settings};
pub use preview::{Preview, preview};
pub use reconcile::{Debt, Paid, Settlement, debts_of};
pub use replay::Replayed;
pub use report::{Report, StepTimes};
pub use stream::{Delivered, Refused, StreamReport, Taken};
pub use wiring::WiringError;
