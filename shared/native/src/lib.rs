//! ClickHouse columns: how each type is held in Arrow ([`arrow_type`]), and how
//! batches of them are written in the Native format ([`BlockEncoder`]).
//!
//! Native is what ClickHouse itself keeps and sends: columns as they lie in
//! memory, with nothing for the server to parse. The format is described at
//! <https://clickhouse.com/docs/interfaces/formats/Native>; what that page
//! leaves out was read from the server and is asserted by the round trips in
//! `shared/warehouse/tests`.

mod arrow_type;
mod block;
mod column;
mod dictionary;
mod error;
mod fixed;
mod natural_type;
mod nested;
mod text;
pub mod weight;

#[cfg(target_endian = "big")]
compile_error!("Native is little-endian, and its columns are copied as they lie in memory");

pub use arrow_type::{arrow_field, arrow_type, unit_of};
pub use block::BlockEncoder;
pub use error::NativeError;
pub use natural_type::natural_type;
