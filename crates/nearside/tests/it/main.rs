//! The command from outside: what it prints, on which stream, with which exit code.
//!
//! Every test runs the built binary in the repository's root with an empty configuration folder and
//! a fixed date. `NEARSIDE_UPDATE=1 cargo test -p nearside --test it` writes the golden files anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says aloud what it skips"
)]

mod answers;
mod at_rest;
mod audit;
mod bad_input;
mod bill;
mod cache;
mod carbon;
mod certificates;
mod command;
mod confidence;
mod containers;
mod doctor;
mod environments;
mod examined;
mod faults;
mod fit;
mod groups;
mod hub;
mod iteration;
mod ledger;
mod live;
mod model_chat;
mod model_engines;
mod model_folder;
mod model_generate;
mod model_inspect;
mod model_pull;
mod model_quantize;
mod model_serve;
mod model_train;
mod pipeline;
mod plans;
mod power;
mod privacy_anonymize;
mod privacy_release;
mod privacy_scan;
mod privacy_table;
mod profile;
mod project;
mod readme;
mod rebuild;
mod recorded;
mod refresh;
mod rehearsal;
mod resilience;
mod roi;
mod run;
mod runbook;
mod sandbox;
mod screen;
mod served;
mod sources;
mod spec;
mod stop;
mod tiny_folder;
mod tiny_model;
