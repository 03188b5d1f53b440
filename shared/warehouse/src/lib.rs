//! ClickHouse: where rows land, exactly once.
//!
//! [`Warehouse`] is the port; [`ClickHouse`] is the real one, [`MemoryWarehouse`]
//! the twin for tests. In the order of a chunk's way: [`ClusterConfig`] and
//! [`Credentials`] (which servers), `prepare` (the table), `insert` (the rows),
//! [`quarantine`] (the rows that could not be), [`drift`] (columns that were not
//! expected), and [`WarehouseError`], whose
//! [`ServerKind`] is the one place where a server's code gets its meaning.
//!
//! An INSERT is a stream of Native blocks; [`native`] says how the values of
//! each type are held in Arrow before. The server does not check what a block
//! holds against the range of its type: so whoever makes the batches has checked
//! it, and [`Warehouse::prepare`] refuses a table whose columns are narrower than
//! what is written.

mod board;
mod breaker;
mod cluster;
mod config;
mod credentials;
pub mod drift;
mod error;
mod extras;
mod http;
mod insert;
mod memory;
mod node;
mod port;
mod prepare;
pub mod quarantine;
mod schema;
mod server_code;
mod sql;

pub use board::{HealthBoard, NoBoard, Outage};
pub use config::{ClusterConfig, ConfigError, Options, Role};
pub use credentials::{Credentials, CredentialsError, CredentialsProvider};
pub use error::{Attempt, Reaction, TransportKind, WarehouseError};
pub use http::ClickHouse;
pub use memory::{MemoryWarehouse, Scripted};
pub use port::{ExtraColumn, Insert, InsertSpec, JsonRow, Select, TableSpec, Warehouse};
pub use schema::{count_by_object, count_replayed};
pub use server_code::ServerKind;
