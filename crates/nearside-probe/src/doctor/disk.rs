//! Disks that hold projects and caches: room and kind.

use nearside_units::{Bytes, Known};

use super::check::{Check, Rule, Section};
use super::command::quoted;
use super::limit::{FILES, Pending, within};
use super::mounts::{Mount, Room, devices_below, mount_of, room, rotates};
use super::process::Process;
use crate::root::{OwnedRoot, Root};

const SPACE: Rule = Rule {
    id: "disk-space",
    section: Section::Disk,
    says: "a tenth of the disk, or 20 GiB, is free: a checkpoint that does not fit is lost",
    source: "our rule; statvfs(3)",
};
const CACHE: Rule = Rule {
    id: "cache-disk",
    section: Section::Disk,
    says: "models are read from a disk of this machine that does not turn",
    source: "our rule; /proc/self/mountinfo, /sys/block/*/queue/rotational",
};
const HOME: Rule = Rule {
    id: "cache-folder",
    section: Section::Disk,
    says: "folders that variables name for caches are absolute and there, or can be made",
    source: "Hugging Face Hub, environment variables (HF_HOME, HF_HUB_CACHE); PyTorch, TORCH_HOME",
};

pub(super) const RULES: &[&Rule] = &[&SPACE, &CACHE, &HOME];

/// Less than this is too little for any model.
const FULL: Bytes = Bytes::gib(2);
const LITTLE: Bytes = Bytes::gib(20);
/// Variables that name folders of caches.
const CACHES: [&str; 5] =
    ["HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "UV_CACHE_DIR", "XDG_CACHE_HOME"];

/// A folder that fills up.
#[derive(Clone, Debug)]
struct Place {
    /// What it is for.
    what: &'static str,
    path: String,
    mount: Known<Mount>,
    room: Known<Room>,
    turns: Known<bool>,
}

/// What is read of disks.
#[derive(Clone, Debug)]
pub(super) struct DiskFacts {
    places: Vec<Place>,
    /// Variables that name a folder that cannot be one: name, value, why.
    wrong: Vec<(String, String, &'static str)>,
}

/// Where the Hugging Face libraries keep models.
pub(super) fn model_cache(process: &Process) -> Option<String> {
    let stated = process.variable("HF_HUB_CACHE").map(str::to_owned);
    let home = || Some(format!("{}/hub", process.variable("HF_HOME")?));
    let base = || Some(format!("{}/huggingface/hub", process.variable("XDG_CACHE_HOME")?));
    let usual = || Some(format!("{}/.cache/huggingface/hub", process.home()?));
    stated.or_else(home).or_else(base).or_else(usual)
}

impl DiskFacts {
    pub(super) fn read(
        root: &OwnedRoot,
        project: Option<&str>,
        process: &Process,
        mounts: &Known<Vec<Mount>>,
    ) -> Self {
        let mut wanted: Vec<(&'static str, String)> = vec![("system", "/".to_owned())];
        wanted.extend(project.map(|path| ("project", path.to_owned())));
        wanted.extend(model_cache(process).map(|path| ("model cache", path)));
        // A dead network disk holds the one question that meets it, and no other.
        let asked: Vec<_> = wanted
            .into_iter()
            .map(|(what, path)| (what, path.clone(), ask(root, path, mounts)))
            .collect();
        let places = asked.into_iter().map(|(what, path, pending)| {
            let (mount, room, turns) = match pending.wait() {
                Known::Value(found) => found,
                Known::Unknown(why) => {
                    (Known::Unknown(why.clone()), Known::Unknown(why.clone()), Known::Unknown(why))
                }
            };
            Place { what, path, mount, room, turns }
        });
        let places = places.collect();
        let wrong = CACHES.iter().filter_map(|name| {
            let value = process.variables.get(*name)?;
            let why = match value.as_str() {
                "" => "it is empty",
                value if value.starts_with('~') => "nobody expands ~ in it",
                value if !value.starts_with('/') => "it is relative to wherever work starts",
                _ => return None,
            };
            Some(((*name).to_owned(), value.clone(), why))
        });
        Self { places, wrong: wrong.collect() }
    }
}

type Found = (Known<Mount>, Known<Room>, Known<bool>);

fn ask(root: &OwnedRoot, path: String, mounts: &Known<Vec<Mount>>) -> Pending<Found> {
    let (root, mounts) = (root.clone(), mounts.clone());
    within(FILES, "disk", move || {
        let root = root.borrowed();
        let path = existing(root, path);
        let mount = mounts.and_then(|mounts| {
            let found = mount_of(&mounts, &path).cloned();
            Known::from_option(found, format!("/proc/self/mountinfo: nothing above {path}"))
        });
        let turns = mount.clone().and_then(|mount| {
            let below = devices_below(root, &mount);
            let known = below.iter().rev().map(|device| rotates(root, device));
            known.fold(Known::unknown("no block device"), |found, next| {
                if found.why().is_none() { found } else { next }
            })
        });
        (mount, room(root, &path), turns)
    })
}

/// The nearest folder above a path that is there.
fn existing(root: Root<'_>, path: String) -> String {
    let mut path = path;
    while !root.has(&path) {
        match path.rsplit_once('/') {
            Some((above, _)) if !above.is_empty() => path.truncate(above.len()),
            _ => return "/".to_owned(),
        }
    }
    path
}

pub(super) fn checks(disk: &DiskFacts) -> Vec<Check> {
    let mut all: Vec<Check> = Vec::new();
    for place in &disk.places {
        all.push(space(place).about(place.what));
    }
    let cache = disk.places.iter().filter(|place| place.what != "system");
    all.extend(cache.map(|place| kind(place).about(place.what)));
    all.push(folders(disk));
    all
}

fn space(place: &Place) -> Check {
    let Known::Value(room) = &place.room else {
        return SPACE.unknown(place.room.why().unwrap_or_default());
    };
    let seen = format!("{}: {} free of {}", place.path, room.free, room.total);
    let tenth = Bytes::new(room.total.get() / 10);
    let look = format!("du -xh --max-depth=2 {} 2>/dev/null | sort -h | tail", quoted(&place.path));
    if room.free < FULL {
        return SPACE
            .fault(format!("the disk is full: {} free", room.free))
            .seen(seen)
            .fix(look)
            .fix("hf cache prune  # models that nobody refers to; pip cache purge, docker system prune");
    }
    match room.free < tenth && room.free < LITTLE {
        true => SPACE.warning(format!("only {} are free", room.free)).seen(seen).fix(look),
        false => SPACE.ok(format!("{} are free", room.free)).seen(seen),
    }
}

fn kind(place: &Place) -> Check {
    let Known::Value(mount) = &place.mount else {
        return CACHE.unknown(place.mount.why().unwrap_or_default());
    };
    let seen = format!("{}: {} at {}", place.path, mount.kind, mount.point);
    let local = match place.what {
        "project" => "# move the project to a disk of this machine that does not turn",
        _ => "export HF_HOME=/a/folder/on/a/local/disk",
    };
    if mount.is_network() {
        return CACHE.warning("it is on a network disk").seen(seen).fix(local);
    }
    if mount.is_memory() {
        return CACHE
            .warning("it is in memory, and gone with the next start")
            .seen(seen)
            .fix(local);
    }
    match &place.turns {
        Known::Value(true) => CACHE.warning("it is on a disk that turns").seen(seen).fix(local),
        Known::Value(false) => {
            CACHE.ok("it is on a disk of this machine that does not turn").seen(seen)
        }
        Known::Unknown(why) => CACHE.unknown(&**why).seen(seen),
    }
}

fn folders(disk: &DiskFacts) -> Check {
    match disk.wrong.first() {
        None => HOME.ok("variables for caches name folders, or are not set"),
        Some((name, value, why)) => HOME
            .warning(format!("{name} names no folder: {why}"))
            .seen(format!("{name}={value:?}"))
            .fix(format!("export {name}=\"$HOME/.cache/huggingface\"  # a whole path")),
    }
}
