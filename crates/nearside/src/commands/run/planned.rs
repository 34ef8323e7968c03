//! The plan that holds while stages run. It is made beside the first stage that runs, on one
//! processor: a run that has nothing to do makes none, and nobody waits long for one.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nearside_catalog::Catalog;

use crate::commands::plan;
use crate::wire::journal::PlanHeld;
use crate::wire::placement::{Caution, pose};
use crate::wire::project::Loaded;

/// How long a stage that has ended waits for it before it is recorded without.
const PATIENCE: Duration = Duration::from_secs(1);

/// A plan that is being made.
#[derive(Default)]
pub(super) struct Planned(Option<Receiver<PlanHeld>>);

impl Planned {
    /// Begins to make it.
    pub(super) fn start(loaded: &Loaded, catalog: Catalog) -> Self {
        let (sender, receiver) = channel();
        let loaded = loaded.clone();
        let make = move || {
            // The other processors are left to the stage.
            let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok();
            let held = alone.and_then(|alone| alone.install(|| held(&loaded, &catalog)));
            if let Some(held) = held {
                // Who asked may have gone on without it.
                let _ = sender.send(held);
            }
        };
        std::thread::spawn(make);
        Self(Some(receiver))
    }

    /// The plan, once. There is none where nothing can be placed: `plan` says why.
    pub(super) fn take(&mut self) -> Option<PlanHeld> {
        self.0.take()?.recv_timeout(PATIENCE).ok()
    }
}

fn held(loaded: &Loaded, catalog: &Catalog) -> Option<PlanHeld> {
    let posed = pose(loaded, catalog, Caution::Likely, &BTreeMap::new()).ok()?;
    plan::record(&plan::solve(loaded, &posed, false).ok()?)
}
