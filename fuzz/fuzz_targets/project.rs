//! Whatever stands in a project file or a machine file, reading it gives a value or errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nearside_workload::{Project, SiteFile};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(errors) = Project::parse(text) {
        assert!(!errors.is_empty());
        assert!(errors.iter().all(|error| error.line_and_column(text).is_some()));
    }
    let _ = SiteFile::parse(text);
});
