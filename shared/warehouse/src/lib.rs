//! ClickHouse: where rows land, exactly once.
//!
//! [`Warehouse`] is the port; [`ClickHouse`] is the real one, [`MemoryWarehouse`]
//! the twin for tests. In the order of a chunk's way: [`ClusterConfig`] and
//! [`Credentials`] (which servers), `prepare` (the table), `insert` (the rows),
//! [`quarantine`] (the rows that could not be), and [`WarehouseError`], whose
//! [`ServerKind`] is the one place where a server's code gets its meaning.
//!
//! # Arrow to ClickHouse
//!
//! An INSERT is an Arrow stream. These pairs are exact, alone, inside `Nullable`,
//! `Array`, `Tuple` and `Map`, with and without `select` (`tests/server/types.rs`):
//!
//! | column | Arrow |
//! | --- | --- |
//! | `Bool`, `Int*`, `UInt*`, `Float*` | the type of the same width and sign |
//! | `Decimal(p, s)` | `Decimal128(p, s)` |
//! | `String`, `LowCardinality(String)` | `Utf8`, `LargeUtf8`, `Binary`, dictionaries of `Utf8` |
//! | `FixedString(n)`, `IPv6`, `UUID` | `FixedSizeBinary`, in the order in which they are written |
//! | `Date` | `Date32`, or `UInt16` days |
//! | `Date32` | `Date32` |
//! | `DateTime` | `Timestamp(Second)`, or `UInt32` seconds |
//! | `DateTime64(p)` | `Timestamp` of the next finer unit |
//! | `Enum8`, `Enum16` | `Utf8` |
//! | `IPv4` | `UInt32` |
//! | `Array`, `Map` | `List`, `Map` |
//! | `Tuple` | `Struct`, fields by name; `1`, `2`, … where the tuple has no names |
//!
//! Other pairs are not refused by the server but wrapped, cut or clamped: an
//! `Int64` 300 becomes the `Int8` 44, and a `Date32` before 1970 the `Date`
//! 1970-01-01, whatever `date_time_overflow_behavior` says. So whoever makes the
//! batches uses these pairs and checks ranges, and [`Warehouse::prepare`] refuses
//! a table whose columns are narrower than what is written.

mod cluster;
mod config;
mod credentials;
mod error;
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

pub use config::{ClusterConfig, ConfigError, Options, Role};
pub use credentials::{Credentials, CredentialsError, CredentialsProvider};
pub use error::{Attempt, TransportKind, WarehouseError};
pub use http::ClickHouse;
pub use memory::{MemoryWarehouse, Scripted};
pub use port::{Insert, InsertSpec, JsonRow, Select, TableSpec, Warehouse};
pub use server_code::ServerKind;
