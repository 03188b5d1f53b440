//! Holds an attached stack until it is killed: `attached OPTIONS_FILE`.

use std::path::Path;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let file =
        std::env::args_os().nth(1).ok_or_else(|| anyhow::anyhow!("expected an options file"))?;
    let options = devstack::Options::read(Path::new(&file))?;
    let _stack = devstack::AttachedStack::start(&options, &|_| {}).await?;
    std::future::pending().await
}
