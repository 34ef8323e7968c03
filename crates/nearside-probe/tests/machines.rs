//! Recorded machines: what their files say, and what they cannot say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nearside_probe::{AcceleratorVendor, Detected, Feature, ProbeError, probe};
use nearside_units::{Bytes, Known, Watts};

fn machine(name: &str) -> Detected {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    probe(&fixtures.join(name)).expect("the recorded machine is a folder")
}

fn text(known: &Known<String>) -> &str {
    known.as_ref().value().expect("a known value")
}

#[test]
fn a_workstation_tells_everything() {
    let Detected { operating_system, processor, memory, notes, .. } = machine("workstation");
    assert_eq!(text(&operating_system.name), "Ubuntu 24.04.2 LTS");
    assert_eq!(text(&operating_system.kernel), "6.8.0-52-generic");
    assert_eq!(text(&processor.model), "AMD Ryzen 9 7950X 16-Core Processor");
    assert_eq!(text(&processor.vendor), "AMD");
    assert_eq!(processor.cores, Known::Value(16));
    assert_eq!(processor.threads, Known::Value(32));
    assert_eq!(processor.usable_threads, Known::Value(32));
    let expected = BTreeSet::from([Feature::Avx2, Feature::Avx512f, Feature::Avx512Vnni]);
    assert_eq!(processor.features, Known::Value(expected));
    assert_eq!(memory.total, Known::Value(Bytes::new(65_536_000 * 1024)));
    assert_eq!(memory.available, Known::Value(Bytes::gib(56)));
    assert_eq!(memory.limit, Known::Value(None));
    assert_eq!(memory.usable(), memory.total);
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn an_amd_card_is_read_and_its_connectors_are_not() {
    let accelerators = machine("workstation").accelerators;
    assert_eq!(accelerators.len(), 1);
    let card = &accelerators[0];
    assert_eq!(card.vendor, AcceleratorVendor::Amd);
    assert_eq!(text(&card.name), "AMD device 0x744c");
    assert_eq!(card.memory_total, Known::Value(Bytes::new(25_753_026_560)));
    assert_eq!(card.memory_free, Known::Value(Bytes::new(24_000_000_000)));
    assert_eq!(card.power_limit, Known::Value(Watts::constant(327.0)));
    assert_eq!(text(&card.driver_version), "amdgpu of Linux 6.8.0-52-generic");
    assert_eq!(text(&card.uuid), "5dab3d2a1f6e8c41");
    assert_eq!(card.compute_capability.why(), Some("an NVIDIA notion"));
}

#[test]
fn a_container_has_the_smallest_limit_on_the_way_up() {
    let Detected { processor, memory, notes, .. } = machine("container-v2");
    assert_eq!(processor.threads, Known::Value(16));
    assert_eq!(processor.cores, Known::Value(8));
    assert_eq!(processor.usable_threads, Known::Value(2));
    assert_eq!(memory.limit, Known::Value(Some(Bytes::gib(8))));
    assert_eq!(memory.usable(), Known::Value(Bytes::gib(8)));
    let features = processor.features.value().unwrap();
    assert!(features.contains(&Feature::AmxBf16) && features.contains(&Feature::AmxInt8));
    assert_eq!(
        notes,
        [
            "2 of 16 threads may be used (affinity mask or quota of the control group)",
            "8.00 GiB of 124 GiB memory may be used (limit of the control group)",
        ]
    );
}

#[test]
fn version_one_limits_count_as_well_and_the_mask_may_be_narrower() {
    let Detected { processor, memory, .. } = machine("container-v1");
    assert_eq!(processor.threads, Known::Value(8));
    assert_eq!(processor.usable_threads, Known::Value(4));
    assert_eq!(memory.limit, Known::Value(Some(Bytes::gib(16))));
}

#[test]
fn an_arm_server_is_named_by_its_part_number() {
    let Detected { operating_system, processor, memory, notes, .. } = machine("arm-server");
    assert_eq!(text(&operating_system.name), "Ubuntu 24.04.1 LTS");
    assert_eq!(text(&processor.model), "Neoverse-V2");
    assert_eq!(text(&processor.vendor), "Arm");
    assert_eq!(processor.cores, Known::Value(8));
    assert_eq!(processor.usable_threads, Known::Value(8));
    assert_eq!(processor.features, Known::Value(BTreeSet::from([Feature::Neon])));
    assert_eq!(memory.usable(), memory.total);
    assert_eq!(
        notes,
        [
            "memory limit: /proc/self/mountinfo: no control groups mounted for memory",
            "quota of processors: /proc/self/mountinfo: no control groups mounted for cpu",
        ]
    );
}

#[test]
fn an_empty_tree_is_all_unknown_and_says_so() {
    let empty: PathBuf =
        std::env::temp_dir().join(format!("nearside-probe-{}", std::process::id()));
    std::fs::create_dir_all(&empty).unwrap();
    let Detected { processor, memory, accelerators, notes, .. } = probe(&empty).unwrap();
    std::fs::remove_dir(&empty).unwrap();
    assert_eq!(processor.usable_threads.why(), Some("/proc/self/status: entity not found"));
    assert_eq!(memory.usable().why(), Some("/proc/meminfo: entity not found"));
    assert!(accelerators.is_empty());
    assert!(notes.contains(&"threads: /proc/cpuinfo: entity not found".to_owned()), "{notes:?}");
}

#[test]
fn a_root_that_is_not_there_is_an_error() {
    let error = probe(Path::new("/nonexistent")).unwrap_err();
    assert!(matches!(&error, ProbeError::Root { path, .. } if path == Path::new("/nonexistent")));
    assert_eq!(error.to_string(), "cannot read the machine below /nonexistent");
}

#[test]
fn the_machine_of_this_test_has_processors_and_memory() {
    let here = nearside_probe::this_machine().unwrap();
    if cfg!(target_os = "linux") {
        assert!(here.processor.usable_threads.value().unwrap() >= 1);
        assert!(here.memory.total.value().unwrap() > Bytes::mib(64));
    }
}
