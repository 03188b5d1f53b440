//! The smallest program that can be a supervisor: `serve OPTIONS_FILE`. The
//! tests of this crate use it; the product's is `motherlode stack serve`.

use std::path::Path;

fn main() -> anyhow::Result<()> {
    let file =
        std::env::args_os().nth(1).ok_or_else(|| anyhow::anyhow!("expected an options file"))?;
    Ok(devstack::serve(&devstack::Options::read(Path::new(&file))?)?)
}
