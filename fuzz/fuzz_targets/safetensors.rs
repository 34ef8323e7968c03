//! A safetensors header, or an index of several files, from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nearside_architecture::header::safetensors;

fuzz_target!(|bytes: &[u8]| {
    for length in [None, Some(bytes.len() as u64), Some(bytes.len() as u64 + 72)] {
        match safetensors::parse(bytes, length) {
            Ok(header) => {
                let by_dtype: u64 = header.weights_by_dtype().values().map(|sum| sum.get()).sum();
                assert_eq!(by_dtype, header.bytes().get());
                assert!(header.parameters() <= header.bytes().get().saturating_mul(2));
            }
            Err(error) => assert_ne!(error.missing(), Some(0)),
        }
    }
    let _ = safetensors::parse_index(bytes);
});
