//! A run holds stages to what they promise: nothing reads what they made before the gate let it pass,
//! also where it was made earlier.

use std::sync::Arc;

use super::{Attempt, Ended, Ran, Run};
use crate::gate::Refused;

/// A stage that ended well and is looked at.
pub(super) struct AtGate {
    ran: Ran,
    attempt: Option<Attempt>,
}

impl Run<'_> {
    /// A stage has ended well: it is over, or goes to the gate.
    pub(super) fn good(&mut self, place: usize, ran: Ran, attempt: Attempt) {
        match self.is_guarded(place) {
            true => self.send_to_gate(place, ran, Some(attempt)),
            false => self.end(place, ran, Some(attempt)),
        }
    }

    /// What was made earlier and is read now, by stages that are run without the ones that made it.
    pub(super) fn look_outside(&mut self) {
        let mut outside = self.wanted.places.clone();
        outside = outside.into_iter().flat_map(|place| self.guarded_outside(place)).collect();
        outside.sort_unstable();
        outside.dedup();
        for place in outside {
            self.send_to_gate(place, Ran::Current, None);
        }
    }

    /// The places that have to be over before one begins.
    pub(super) fn before(&self, place: usize) -> Vec<usize> {
        let waits_for = self.runner.jobs.jobs[place].waits_for.iter().copied();
        let wanted = waits_for.filter(|before| self.wanted.places.contains(before));
        wanted.chain(self.guarded_outside(place)).collect()
    }

    /// Whether nothing more is to be done about a place.
    pub(super) fn is_over(&self, place: usize) -> bool {
        self.summary.contains_key(&place) || self.passed_outside.contains(&place)
    }

    /// The gate has decided.
    pub(super) fn decided(&mut self, place: usize, decision: Result<(), Refused>) {
        let Some(AtGate { ran, attempt }) = self.at_gate.remove(&place) else { return };
        match decision {
            Ok(()) if attempt.is_none() => drop(self.passed_outside.insert(place)),
            Ok(()) => self.end(place, ran, attempt),
            Err(refused) => self.end(place, Ran::Refused(refused), attempt),
        }
    }

    fn is_guarded(&self, place: usize) -> bool {
        let job = &self.runner.jobs.jobs[place];
        self.runner.gate.as_ref().is_some_and(|gate| gate.guards(job))
    }

    /// Everything before a place that is guarded and not wanted.
    fn guarded_outside(&self, place: usize) -> Vec<usize> {
        let jobs = &self.runner.jobs.jobs;
        let mut found = jobs[place].waits_for.clone();
        let mut at = 0;
        while let Some(before) = found.get(at).copied() {
            let more = jobs[before].waits_for.iter().filter(|place| !found.contains(place));
            let more: Vec<_> = more.copied().collect();
            found.extend(more);
            at += 1;
        }
        found.retain(|place| !self.wanted.places.contains(place) && self.is_guarded(*place));
        found
    }

    fn send_to_gate(&mut self, place: usize, ran: Ran, attempt: Option<Attempt>) {
        let Some(gate) = self.runner.gate.as_ref().map(Arc::clone) else { return };
        self.at_gate.insert(place, AtGate { ran, attempt });
        let (sender, job) = (self.sender.clone(), self.runner.jobs.jobs[place].clone());
        std::thread::spawn(move || {
            // A run that was interrupted waits for nobody.
            let _ = sender.send((place, Ended::Looked(gate.pass(&job))));
        });
    }
}
