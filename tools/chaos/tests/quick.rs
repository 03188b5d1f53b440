//! The quick half of the chaos suite: each scenario with small numbers and a
//! fresh seed, one after the other because they share the machine.

use chaos::{Dice, SCENARIOS, Size};
use rstest::rstest;

/// One scenario at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[rstest]
#[case(1)]
#[case(2)]
#[case(3)]
#[case(4)]
#[case(5)]
#[case(6)]
#[case(7)]
#[case(8)]
#[case(9)]
#[case(10)]
#[case(11)]
#[case(12)]
#[case(13)]
#[case(14)]
#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_there_once(#[case] number: u8) {
    let _turn = TURN.lock().await;
    let scenario = SCENARIOS.iter().find(|scenario| scenario.number == number).unwrap();
    let outcome = chaos::run(scenario, Size::Quick, Dice::fresh_seed(), "chaos-quick").await;
    assert!(
        outcome.passed(),
        "{:#?}\nthe same again: cargo xtask chaos {number} --quick --seed {}",
        outcome,
        outcome.seed
    );
}
