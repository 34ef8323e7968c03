//! Recorded machines as one text file each, unfolded into a folder.
//!
//! A file begins with comments (`#`), `over: NAME` (the machine that this one differs from),
//! `remove: PATH` (what it lacks of that one) and `data: personal`. Each `=== PATH` begins a file
//! whose lines follow; `=== link PATH -> TARGET`, `=== folder PATH`, `=== binary PATH KIND` (the
//! header of a program), `=== bytes PATH 06 00 ...` and `=== environ` (variables, laid over those
//! of the other machine) are what git or a line of text cannot hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What every fixture and every folder for tests is.
pub(crate) const SOUND: &str = "fixtures are sound and folders can be written";
/// Machines that are laid over one another at most.
const DEPTH: usize = 4;

/// A machine, unfolded; removed when it goes out of scope.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    /// Whether the project has personal data.
    pub(crate) personal: bool,
    variables: BTreeMap<String, String>,
}

/// The folder of the text files.
pub(crate) fn fixtures() -> PathBuf {
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect(SOUND).join("nearside-probe");
    probe.join("tests/fixtures/doctor")
}

impl Tree {
    /// Unfolds a machine; `tag` tells folders of several tests apart.
    pub(crate) fn unfold(case: &str, tag: &str) -> Self {
        let folder = format!("nearside-doctor-{}-{tag}-{case}", std::process::id());
        let root = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&root).expect(SOUND);
        let mut tree = Self { root, personal: false, variables: BTreeMap::new() };
        tree.lay(case, DEPTH);
        if !tree.variables.is_empty() {
            let pairs = tree.variables.iter().map(|(name, value)| format!("{name}={value}\0"));
            let text: String = pairs.collect();
            tree.write("proc/self/environ", text.as_bytes());
        }
        tree
    }

    fn lay(&mut self, case: &str, depth: usize) {
        assert!(depth > 0, "{case} is laid over itself");
        let text = std::fs::read_to_string(fixtures().join(format!("{case}.tree"))).expect(SOUND);
        let mut parts = text.split("\n=== ");
        for line in parts.next().unwrap_or_default().lines() {
            match line.split_once(": ") {
                Some(("over", other)) => self.lay(other, depth - 1),
                Some(("remove", path)) => self.remove(path),
                Some(("data", kind)) => self.personal = kind == "personal",
                _ => assert!(line.starts_with('#') || line.starts_with("=== "), "{case}: {line}"),
            }
        }
        let first = text.strip_prefix("=== ").map(|rest| rest.split("\n=== ").next().expect(SOUND));
        for part in first.into_iter().chain(text.split("\n=== ").skip(1)) {
            let (head, body) = part.split_once('\n').unwrap_or((part, ""));
            self.entry(head, body);
        }
    }

    fn entry(&mut self, head: &str, body: &str) {
        let body = if body.is_empty() {
            String::new()
        } else {
            format!("{}\n", body.trim_end_matches('\n'))
        };
        match head.split_once(' ') {
            None if head == "environ" => {
                let pairs = body.lines().filter_map(|line| line.split_once('='));
                self.variables.extend(pairs.map(|(name, value)| (name.into(), value.into())));
            }
            None => self.write(head, body.as_bytes()),
            Some(("link", rest)) => {
                let (path, target) = rest.split_once(" -> ").expect(SOUND);
                self.remove(path);
                let place = self.place(path);
                std::os::unix::fs::symlink(target, place).expect(SOUND);
            }
            Some(("folder", path)) => {
                std::fs::create_dir_all(self.place(path)).expect(SOUND);
            }
            Some(("binary", rest)) => {
                let (path, kind) = rest.split_once(' ').expect(SOUND);
                self.write(path, &header(kind));
            }
            Some(("bytes", rest)) => {
                let mut words = rest.split(' ');
                let path = words.next().expect(SOUND);
                let bytes: Vec<u8> =
                    words.map(|it| u8::from_str_radix(it, 16).expect(SOUND)).collect();
                self.write(path, &bytes);
            }
            Some(_) => unreachable!("not understood: {head}"),
        }
    }

    /// A path below the root, whose folder is there.
    fn place(&self, path: &str) -> PathBuf {
        let place = self.root.join(path);
        std::fs::create_dir_all(place.parent().expect(SOUND)).expect(SOUND);
        place
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        self.remove(path);
        std::fs::write(self.place(path), bytes).expect(SOUND);
    }

    pub(crate) fn remove(&self, path: &str) {
        let place = self.root.join(path);
        match std::fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(place).expect(SOUND),
            Ok(_) => std::fs::remove_file(place).expect(SOUND),
            Err(_) => {}
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// The first bytes of a program.
fn header(kind: &str) -> Vec<u8> {
    let elf = |machine: u8| {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend([machine, 0]);
        bytes
    };
    match kind {
        "elf-x86-64" => elf(62),
        "elf-arm64" => elf(183),
        "mach-x86-64" => b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec(),
        "mach-arm64" => b"\xcf\xfa\xed\xfe\x0c\0\0\x01".to_vec(),
        "mach-universal" => {
            let mut bytes = b"\xca\xfe\xba\xbe\0\0\0\x02\x01\0\0\x07".to_vec();
            bytes.resize(28, 0);
            bytes.extend(b"\x01\0\0\x0c");
            bytes
        }
        _ => unreachable!("no such program: {kind}"),
    }
}
