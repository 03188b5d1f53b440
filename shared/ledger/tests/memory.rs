//! The twin in memory keeps the contract, in random histories too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod script;

use std::sync::Arc;

use ledger::contract::TestClock;
use ledger::{Ledger, MemoryLedger};
use proptest::prelude::*;

async fn fixture() -> (Arc<dyn Ledger>, TestClock) {
    let clock = TestClock::default();
    (Arc::new(MemoryLedger::new(clock.clock())), clock)
}

ledger::ledger_contract!(fixture);

mod partitions {
    use std::sync::Arc;

    use ledger::{MemoryPartitions, Partitions};

    async fn fixture() -> Arc<dyn Partitions> {
        Arc::new(MemoryPartitions::default())
    }

    ledger::partition_contract!(fixture);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn histories_keep_the_invariants(ops in script::history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ledger, clock) = fixture().await;
            script::run(&*ledger, &clock, "a", &ops).await;
        });
    }
}
