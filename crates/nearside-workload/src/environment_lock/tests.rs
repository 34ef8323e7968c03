//! Locks of every kind are read as they are written, and what is hashed is what is compared.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

const LOCK: &str = "version = 1

[system]
name = \"Debian GNU/Linux 12 (bookworm)\"
kernel = \"6.1.0-28-amd64\"
architecture = \"x86_64\"
libc = \"glibc 2.36\"
cuda_toolkit = \"12.6.3\"

[processor]
name = \"AMD Ryzen 9 7950X\"
threads = 32
memory = \"64208 MiB\"
instructions = [\"avx2\", \"avx512f\"]

[[accelerator]]
name = \"NVIDIA GeForce RTX 4090\"
capability = \"8.9\"
driver = \"570.86.15\"
memory = \"24564 MiB\"

[variables]
OMP_NUM_THREADS = \"8\"

[python]
version = \"3.12.3\"
implementation = \"cpython\"
torch = \"cuda 12.6\"

[packages]
mine = { version = \"0.1\", from = \"local\", hash = \"sha256:01\" }
numpy = \"2.1.0\"
tool = { version = \"1.0\", from = \"https://example.org/tool.whl\", hash = \"sha256:00\" }
torch = \"2.9.1+cu126\"
";

fn lock() -> EnvironmentLock {
    EnvironmentLock::parse(LOCK).unwrap()
}

/// A lock with one line in place of another.
fn with(line: &str, other: &str) -> EnvironmentLock {
    assert!(LOCK.contains(line), "{line}");
    EnvironmentLock::parse(&LOCK.replace(line, other)).unwrap()
}

#[test]
fn a_lock_is_read_and_written() {
    let lock = lock();
    assert_eq!(lock.to_string(), LOCK);
    assert_eq!(lock.accelerators[0].driver_branch(), Some("570"));
    let python = lock.python.value().unwrap();
    assert_eq!(python.torch, Some(Known::Value(TorchBuild::Cuda { major: 12, minor: 6 })));
    assert_eq!(python.packages["mine"].origin, Origin::Local);
    assert_eq!(python.packages["tool"].hash.as_deref(), Some("sha256:00"));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let check = |text: &str, message: &str, place: (usize, usize), hint: &str| {
        let text = format!("version = 1\n{text}\n");
        let errors = EnvironmentLock::parse(&text).unwrap_err();
        assert_eq!(errors[0].message, message, "{text}");
        assert_eq!(errors[0].line_and_column(&text), Some(place), "{text}");
        assert_eq!(errors[0].hint.as_deref().unwrap_or(""), hint, "{text}");
    };
    check("[sytem]", "unknown key \"sytem\"", (2, 2), "did you mean \"system\"?");
    check("[system]\nlibcc = \"x\"", "unknown key \"libcc\"", (3, 1), "did you mean \"libc\"?");
    let fact = "system.libc: expected a text or { unknown = \"why\" }";
    check("[system]\nlibc = { no = \"x\" }", fact, (3, 8), "");
    let fact = "variables.OMP_NUM_THREAD: no variable of an environment";
    let hint = "did you mean \"OMP_NUM_THREADS\"?";
    check("[variables]\nOMP_NUM_THREAD = \"1\"", fact, (3, 1), hint);
    let fact = "packages.Py_Yaml: no normalized name";
    check("[python]\n[packages]\nPy_Yaml = \"6\"", fact, (4, 1), "write py-yaml");
    let fact = "packages.a: unknown key \"form\"";
    let text = "[python]\n[packages]\na = { version = \"1\", form = \"local\" }";
    check(text, fact, (4, 5), "did you mean \"from\"?");
    let fact = "packages.a: the address holds a name, a password or a token, which a lock must not";
    let text =
        "[python]\n[packages]\na = { version = \"1\", from = \"https://t:x@example.org/a\" }";
    check(text, fact, (4, 5), "remove it, and give it to the installer in another way");
    check(
        "[packages]\na = \"1\"",
        "packages without [python]",
        (3, 1),
        "write the version of Python that they are for",
    );
    let fact = "python.torch: \"cu126\" is no build of PyTorch: \
                write \"cpu\", \"cuda 12.6\" or \"rocm 6.4\"";
    check("[python]\ntorch = \"cu126\"", fact, (3, 9), "");
    let fact = "python.version: the version is empty";
    check("[python]\nversion = \"\"", fact, (3, 11), "write it, or remove the line");
    for empty in ["\" \"", "{ version = \"\" }"] {
        let text = format!("[python]\n[packages]\na = {empty}");
        let fact = "packages.a: the version is empty";
        check(&text, fact, (4, 5), "write it, or remove the line");
    }
    let fact = "packages: \"\" is no name of a package";
    check("[python]\n[packages]\n\"\" = \"1\"", fact, (4, 1), "write the name that pip shows");
    // None of it is in the words of what reads it.
    let fact = "\"many\" is not a whole number of threads, as in 16";
    check("[processor]\nthreads = \"many\"", &format!("processor.threads: {fact}"), (3, 11), "");
    check("system = 3", "expected a table, found integer '3'", (2, 10), "");
    check("accelerator = { name = \"x\" }", "expected a list, found a table", (2, 15), "");
    let errors = EnvironmentLock::parse("version = 2\n").unwrap_err();
    assert_eq!(errors[0].message, "version 2 cannot be read: this build reads 1");
}

#[test]
fn differences_are_told_by_what_they_change() {
    let check = |line: &str, other: &str, expected: &[(&str, Effect)]| {
        let (found, not_compared) = compare(&lock(), &with(line, other));
        let found: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.effect)).collect();
        assert_eq!(found, expected, "{other}");
        assert_eq!(not_compared, []);
        let same = with(line, other).decisive() == lock().decisive();
        let decides = expected.iter().any(|(_, effect)| *effect == Effect::Result);
        assert_eq!(same, !decides, "{other}");
    };
    let (result, speed) = (Effect::Result, Effect::Speed);
    check("numpy = \"2.1.0\"", "numpy = \"2.1.1\"", &[("package numpy", result)]);
    check("numpy = \"2.1.0\"\n", "", &[("package numpy", result)]);
    let mine = [("package mine", result), ("package mine, its code", result)];
    check("hash = \"sha256:01\"", "hash = \"sha256:02\"", &mine[1..]);
    check("from = \"local\", hash = \"sha256:01\"", "from = \"index\"", &mine);
    check("torch = \"cuda 12.6\"\n", "", &[("PyTorch build", result), ("package torch", result)]);
    check("2.9.1+cu126", "2.9.1", &[]);
    check("2.9.1+cu126", "2.9.1+cpu", &[("package torch", result)]);
    check("3.12.3", "3.12.4", &[("Python", result)]);
    let other = LOCK.replace("cuda 12.6", "cuda 12.8").replace("+cu126", "+cu128");
    let (found, _) = compare(&lock(), &EnvironmentLock::parse(&other).unwrap());
    assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["PyTorch build"]);
    check("\"8.9\"", "\"9.0\"", &[("compute capability", result)]);
    check("\"avx2\", ", "", &[("instructions", result)]);
    check("glibc 2.36", "glibc 2.39", &[("C library", result)]);
    let threads = [("threads", result), ("variable OMP_NUM_THREADS", result)];
    check("OMP_NUM_THREADS = \"8\"", "OMP_NUM_THREADS = \"4\"", &threads);
    check("12.6.3", "12.8.1", &[("CUDA toolkit", speed)]);
    let toolkits = [("CUDA toolkit, major version", result), ("CUDA toolkit", speed)];
    check("12.6.3", "13.0.2", &toolkits);
    check("570.86.15", "570.124.06", &[("driver", speed)]);
    check("24564 MiB", "48 GiB", &[("accelerator memory", speed)]);
    check("64208 MiB", "32 GiB", &[("main memory", speed)]);
    check("threads = 32", "threads = 16", &[]);
    // Of one compute capability, with other multiprocessors.
    check("RTX 4090", "RTX 4080", &[("accelerator", result)]);
    check("6.1.0-28", "6.8.0-31", &[("kernel", speed)]);
    check("Debian GNU/Linux 12 (bookworm)", "Ubuntu", &[("system", Effect::Nothing)]);
}

#[test]
fn what_is_not_known_is_not_the_same() {
    let without = with("libc = \"glibc 2.36\"\n", "");
    let (differences, not_compared) = compare(&lock(), &without);
    assert_eq!(differences, []);
    let told: Vec<_> = not_compared.iter().map(|one| (one.name.as_str(), one.effect)).collect();
    assert_eq!(told, [("C library", Effect::Result)]);
    // A Python that is not known is one thing, not as many as it could have packages.
    let bare = EnvironmentLock { python: Known::unknown("not read"), ..lock() };
    let (differences, not_compared) = compare(&lock(), &bare);
    assert_eq!((differences.len(), not_compared[0].name.as_str()), (0, "Python"));
    assert_eq!(not_compared.len(), 1);
}

#[test]
fn variables_that_are_not_known_are_one_thing_and_not_absent() {
    let untold = EnvironmentLock { variables: Known::unknown("not told"), ..lock() };
    let (differences, not_compared) = compare(&lock(), &untold);
    assert_eq!(differences, []);
    let told: Vec<_> = not_compared.iter().map(|one| (one.name.as_str(), one.effect)).collect();
    // OMP_NUM_THREADS may be among them.
    assert_eq!(told, [("threads", Effect::Result), ("variables", Effect::Result)]);
    assert!(untold.to_string().contains("\n[variables]\nunknown = \"not told\"\n"));
    assert_eq!(EnvironmentLock::parse(&untold.to_string()), Ok(untold));
}

#[test]
fn a_version_of_no_index_is_not_its_code() {
    let of = |line: &str| {
        let text = format!("version = 1\n[python]\nversion = \"3.12.3\"\n[packages]\n{line}\n");
        EnvironmentLock::parse(&text).unwrap()
    };
    let told = |here: &str, there: &str| {
        let (differences, not_compared) = compare(&of(here), &of(there));
        let differences = differences.into_iter().map(|one| one.name);
        let open = not_compared.into_iter().filter(|one| one.name.starts_with("package "));
        (differences.collect::<Vec<_>>(), open.map(|one| one.name).collect::<Vec<_>>())
    };
    let wheel = |digits: &str| {
        format!("a = {{ version = \"1\", from = \"local\", hash = \"sha256:{digits}\" }}")
    };
    let code = || vec!["package a, its code".to_owned()];
    assert_eq!(told(&wheel("00"), &wheel("00")), (vec![], vec![]));
    assert_eq!(told(&wheel("00"), &wheel("01")), (code(), vec![]));
    // A folder that is edited: not even against itself.
    let folder = "a = { version = \"1\", from = \"local\" }";
    assert_eq!(told(folder, folder), (vec![], code()));
    assert_eq!(told(folder, &wheel("00")), (vec![], code()));
    let other = "a = { version = \"2\", from = \"local\" }";
    assert_eq!(told(folder, other), (vec!["package a".to_owned()], code()));
    let commit = "a = { version = \"1\", from = \"git+https://example.org/a@012\" }";
    assert_eq!(told(commit, commit), (vec![], vec![]));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", "\\PC{0,6}", Just("\"\\\n\t#'".to_owned())]
}

/// A version says something.
fn version() -> impl Strategy<Value = String> {
    text().prop_filter("empty", |text| !text.trim().is_empty())
}

fn known<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Known<T>> {
    prop_oneof![3 => value.prop_map(Known::Value), 1 => text().prop_map(Known::unknown)]
}

fn memory() -> impl Strategy<Value = Known<Bytes>> {
    known((0u64..1 << 24).prop_map(Bytes::mib))
}

prop_compose! {
    fn system()(
        (name, kernel) in (known(text()), known(text())),
        (architecture, libc) in (known(text()), known(text())),
        cuda_toolkit in option::of(known(text())),
        image in option::of(known(text())),
    ) -> System {
        System { name, kernel, architecture, libc, cuda_toolkit, image }
    }
}

prop_compose! {
    fn processor()(
        name in known(text()),
        threads in known(any::<u32>()),
        memory in memory(),
        instructions in known(btree_set(text(), 0..4)),
    ) -> Processor {
        Processor { name, threads, memory, instructions }
    }
}

prop_compose! {
    fn accelerator()(
        (name, capability) in (known(text()), known(text())),
        driver in known(text()),
        memory in memory(),
    ) -> Accelerator {
        Accelerator { name, capability, driver, memory }
    }
}

fn torch() -> impl Strategy<Value = TorchBuild> {
    prop_oneof![
        Just(TorchBuild::Cpu),
        (0u32..20, 0u32..10).prop_map(|(major, minor)| TorchBuild::Cuda { major, minor }),
        "[1-9]\\.[0-9]".prop_map(TorchBuild::Rocm),
    ]
}

prop_compose! {
    fn package()(
        version in version(),
        origin in prop_oneof![
            Just(Origin::Index),
            Just(Origin::Local),
            Just(Origin::Conda),
            Just(Origin::System),
            "https://[a-z]{1,5}(/[a-z@.]{0,5}){0,2}".prop_map(|text| Origin::of_address(&text)),
        ],
        hash in option::of(text()),
    ) -> Package {
        Package { version, origin, hash }
    }
}

prop_compose! {
    fn python()(
        (version, implementation) in (known(version()), known(text())),
        torch in option::of(known(torch())),
        packages in btree_map("[a-z]{1,3}(-[a-z0-9]{1,3})?", package(), 0..5),
    ) -> Python {
        Python { version, implementation, torch, packages }
    }
}

prop_compose! {
    fn any_lock()(
        system in system(),
        processor in processor(),
        accelerators in vec(accelerator(), 0..3),
        values in known(btree_map(0..variables().len(), text(), 0..4)),
        python in known(python()),
    ) -> EnvironmentLock {
        let name = |at: usize| variables()[at].name.to_owned();
        let variables = values
            .map(|values| values.into_iter().map(|(at, value)| (name(at), value)).collect());
        EnvironmentLock { system, processor, accelerators, variables, python }
    }
}

proptest! {
    #[test]
    fn reading_undoes_writing(lock in any_lock()) {
        let text = lock.to_string();
        let read = EnvironmentLock::parse(&text);
        prop_assert_eq!(read.as_ref(), Ok(&lock), "{}", text);
    }

    #[test]
    fn what_is_hashed_is_what_is_compared(here in any_lock(), there in any_lock()) {
        let (differences, not_compared) = compare(&here, &there);
        let told = differences.iter().any(|one| one.effect == Effect::Result)
            || not_compared.iter().any(|one| one.effect == Effect::Result);
        if !told {
            prop_assert_eq!(sorted(&here), sorted(&there));
        }
        prop_assert_eq!(compare(&here, &here).0, vec![]);
        prop_assert_eq!(compare(&there, &here).0.len(), differences.len());
    }
}

fn sorted(lock: &EnvironmentLock) -> Vec<(String, Known<String>)> {
    let facts = lock.decisive().into_iter();
    let mut facts: Vec<_> = facts.map(|fact| (fact.name, fact.value)).collect();
    facts.sort_by(|one, other| one.0.cmp(&other.0));
    facts
}
