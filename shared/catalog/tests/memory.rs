//! The twin in memory keeps the contract.

use std::sync::Arc;

use catalog::MemoryCatalog;
use catalog::contract::{NOW_MS, Plant};
use model::Clock;

async fn fixture() -> Arc<dyn Plant> {
    Arc::new(MemoryCatalog::new(Clock::new(|| NOW_MS)))
}

catalog::catalog_contract!(fixture);
