//! DynamoDB as the ledger and the catalog use it.
//!
//! Both keep one table each and must say the same thing about the same trouble,
//! so what a DynamoDB error means and how an item is read is written once here.
//! No operation lives here: a table's reads and writes belong to its owner.

mod fault;
mod item;

pub use fault::{Fault, TableName};
pub use item::{Item, Row, number, text, time};
