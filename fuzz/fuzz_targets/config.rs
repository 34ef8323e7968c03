//! A `config.json` from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nearside_architecture::header::config;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = config::parse(bytes) {
        assert!(error.in_file("config.json").len() < 1000);
    }
});
