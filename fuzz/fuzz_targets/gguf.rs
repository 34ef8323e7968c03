//! A GGUF header from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nearside_architecture::header::gguf;

fuzz_target!(|bytes: &[u8]| {
    for length in [None, Some(bytes.len() as u64), Some(bytes.len() as u64 + (1 << 20))] {
        match gguf::parse(bytes, length) {
            Ok(header) => {
                assert!(header.bits_per_weight().is_none_or(|bits| bits > 0.0 && bits <= 64.0));
                let _ = header.decoder();
                let _ = header.clone().join(&header);
            }
            Err(error) => assert_ne!(error.missing(), Some(0)),
        }
    }
});
