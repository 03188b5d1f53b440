//! The stack of the demo: started for it, or found running; ended with it, or
//! kept.

use std::path::PathBuf;

use anyhow::Context as _;
use devstack::{AttachedStack, StackState};

use super::{DemoArgs, tour};
use crate::failure::Advise as _;
use crate::ui::Ui;
use crate::{clickstream, stack};

/// Name of the demo's stack.
pub const STACK: &str = "demo";

/// A stack that is up.
pub struct Platform {
    stack: Held,
    root: PathBuf,
    dir: PathBuf,
}

enum Held {
    /// It ends with this process, however this process ends.
    Attached(Box<AttachedStack>),
    /// It runs on, whatever becomes of this process.
    Kept(Box<StackState>),
}

impl Platform {
    /// Starts the stack, or takes the one that an earlier demo has left running.
    ///
    /// # Errors
    /// When a part is missing or does not start.
    pub async fn start(args: &DemoArgs, ui: &Ui) -> anyhow::Result<Self> {
        let options = clickstream::added_to(stack::options(&args.root, STACK)?)?;
        let dir = options.dir();
        let task = ui.task("stack");
        let progress = |step: &str| task.at(step, "");
        let stack = match devstack::status(&dir).await {
            Ok(status) => {
                ui.note("the demo's stack is up already, and stays up");
                Held::Kept(Box::new(status.state))
            }
            Err(devstack::Error::NotUp { .. }) if args.keep => {
                Held::Kept(Box::new(devstack::up(&options, &progress).await.hint(|| logs(&dir))?))
            }
            Err(devstack::Error::NotUp { .. }) => Held::Attached(Box::new(
                AttachedStack::start(&options, &progress).await.hint(|| logs(&dir))?,
            )),
            Err(error) => {
                return Err(error).hint(|| format!("end it: motherlode stack down --name {STACK}"));
            }
        };
        Ok(Self { stack, root: args.root.clone(), dir })
    }

    /// What the stack consists of.
    pub fn state(&self) -> &StackState {
        match &self.stack {
            Held::Attached(stack) => stack.state(),
            Held::Kept(state) => state,
        }
    }

    /// Ends the stack unless it is kept, and says how to go on. Its data goes
    /// with it: the AWS stand-in forgets what was loaded, and tables without
    /// that knowledge would be filled twice. After a failure the folder stays,
    /// for its logs; the next start empties it.
    ///
    /// # Errors
    /// Those of the demo, or when the folder cannot be removed.
    pub fn end(self, shown: anyhow::Result<()>, ui: &Ui) -> anyhow::Result<()> {
        let failed = shown.is_err();
        match self.stack {
            Held::Kept(_) if failed => {
                let program = tour::program(&self.root);
                ui.note(&format!(
                    "the stack is still up; end it with `{program} stack down --name {STACK}`"
                ));
            }
            Held::Kept(_) => ui.note(&tour::how_to_go_on(&self.root)),
            Held::Attached(stack) => {
                // Dropping it waits for the supervisor.
                tokio::task::block_in_place(|| drop(stack));
                if !failed {
                    std::fs::remove_dir_all(&self.dir)
                        .with_context(|| format!("removing {}", self.dir.display()))
                        .hint(|| "remove the folder by hand")?;
                    ui.note(&tour::how_to_keep());
                }
            }
        }
        shown
    }
}

fn logs(dir: &std::path::Path) -> String {
    format!("the logs are under {}", dir.join("logs").display())
}
