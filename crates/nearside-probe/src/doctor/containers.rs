//! Docker and Podman with devices, and being in a container.

use nearside_units::{Bytes, Known};

use super::Facts;
use super::check::{Check, Rule, Section};
use super::mounts::{Mount, mount_of};
use super::nodes::listed;
use super::pci::Vendor;
use super::process::Process;
use crate::root::Root;

const RUNTIME: Rule = Rule {
    id: "container-runtime",
    section: Section::Containers,
    says: "containers get NVIDIA devices: nvidia-ctk is installed, and Docker knows its runtime or a CDI file",
    source: "NVIDIA Container Toolkit, installation; \"could not select device driver\"",
};
const SNAP: Rule = Rule {
    id: "docker-snap",
    section: Section::Containers,
    says: "Docker is no snap where containers need NVIDIA devices: it is shut off from the driver's files",
    source: "NVIDIA/nvidia-container-toolkit, snap Docker is not supported",
};
const CDI: Rule = Rule {
    id: "cdi-driver",
    section: Section::Containers,
    says: "the CDI file names libraries of the driver that is loaded",
    source: "NVIDIA Container Toolkit, Container Device Interface: generate it anew after an upgrade",
};
const ROOTLESS: Rule = Rule {
    id: "docker-rootless",
    section: Section::Containers,
    says: "rootless Docker needs no-cgroups = true in the toolkit's configuration",
    source: "NVIDIA Container Toolkit, rootless mode",
};
const SHARED_MEMORY: Rule = Rule {
    id: "shared-memory",
    section: Section::Containers,
    says: "/dev/shm of a container has at least 1 GiB: workers of a DataLoader hand tensors over through it",
    source: "PyTorch README, Docker image: --ipc=host or --shm-size; \"Bus error\"",
};
const DEVICES: Rule = Rule {
    id: "container-devices",
    section: Section::Containers,
    says: "a container on a machine with an NVIDIA device is given it",
    source: "docker run --gpus; NVIDIA Container Toolkit",
};

pub(super) const RULES: &[&Rule] = &[&RUNTIME, &SNAP, &CDI, &ROOTLESS, &SHARED_MEMORY, &DEVICES];

const ENOUGH_SHARED: Bytes = Bytes::gib(1);
/// What engines give a container that asks for nothing.
const USUAL_SHARED: Bytes = Bytes::mib(64);

/// What is read of containers.
#[derive(Clone, Debug)]
pub(super) struct ContainerFacts {
    docker: Option<&'static str>,
    podman: bool,
    toolkit: Known<bool>,
    /// `daemon.json` names NVIDIA's runtime, and where.
    runtime: Option<String>,
    /// CDI files for NVIDIA devices with the versions of libraries in them.
    cdi: Vec<(String, Vec<String>)>,
    /// Whether the settings of engines can be seen at all.
    settings: Known<()>,
    rootless: bool,
    no_cgroups: bool,
    shared: Known<Bytes>,
    nodes: Known<bool>,
}

impl ContainerFacts {
    pub(super) fn read(root: Root<'_>, process: &Process, mounts: &Known<Vec<Mount>>) -> Self {
        let snap = ["snap/bin/docker", "snap/docker/current"]
            .iter()
            .any(|path| root.has(path) || root.link(path).why().is_none());
        let packaged = ["usr/bin/dockerd", "usr/bin/docker", "usr/local/bin/dockerd"];
        let packaged = packaged.iter().any(|path| root.has(path) && !leads_to_snap(root, path));
        let host = process.variable("DOCKER_HOST").unwrap_or_default();
        let home = process.home().unwrap_or("/nonexistent");
        Self {
            docker: match (packaged, snap) {
                (true, _) => Some("package"),
                (false, true) => Some("snap"),
                (false, false) => None,
            },
            podman: root.has("usr/bin/podman"),
            toolkit: match root.has("usr/bin/nvidia-container-runtime") {
                true => Known::Value(true),
                false => root.lists("usr/bin", "nvidia-ctk"),
            },
            runtime: runtime(root, home),
            cdi: cdi(root),
            settings: root.recorded("etc"),
            rootless: host.starts_with("unix:///run/user/")
                || root.has(&format!("{home}/.config/systemd/user/docker.service")),
            no_cgroups: root.text("etc/nvidia-container-runtime/config.toml").value().is_some_and(
                |text| {
                    text.lines().any(|line| line.replace(' ', "").starts_with("no-cgroups=true"))
                },
            ),
            shared: shared(mounts, root),
            nodes: listed(root, "dev", "nvidiactl")
                .zip(listed(root, "dev", "dxg"))
                .map(|(linux, windows)| linux || windows),
        }
    }
}

fn leads_to_snap(root: Root<'_>, path: &str) -> bool {
    root.link(path).value().is_some_and(|target| target.contains("snap"))
}

/// Which `daemon.json` names NVIDIA's runtime or switches CDI on.
fn runtime(root: Root<'_>, home: &str) -> Option<String> {
    let files = ["etc/docker/daemon.json".to_owned(), format!("{home}/.config/docker/daemon.json")];
    files.into_iter().find(|file| {
        let text = root.text(file).value().unwrap_or_default();
        let data: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        data["runtimes"]["nvidia"].is_object() || data["features"]["cdi"].as_bool() == Some(true)
    })
}

/// CDI files whose kind is `nvidia.com/gpu`, and versions such as `580.95.05` of `libcuda.so.580.95.05`.
fn cdi(root: Root<'_>) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for folder in ["etc/cdi", "var/run/cdi", "run/cdi"] {
        for name in root.entries(folder).value().unwrap_or_default() {
            let file = format!("{folder}/{name}");
            let Known::Value(text) = root.text(&file) else { continue };
            if !text.contains("nvidia.com/gpu") {
                continue;
            }
            let version = |part: &str| {
                let end = part.find(|sign: char| !sign.is_ascii_digit() && sign != '.');
                let version = part[..end.unwrap_or(part.len())].trim_end_matches('.');
                version.contains('.').then(|| version.to_owned())
            };
            let mut versions: Vec<_> =
                text.split("libcuda.so.").skip(1).filter_map(version).collect();
            versions.sort();
            versions.dedup();
            found.push((format!("/{file}"), versions));
        }
    }
    found
}

/// The size of /dev/shm: its own, or half of the memory where the mount states none.
fn shared(mounts: &Known<Vec<Mount>>, root: Root<'_>) -> Known<Bytes> {
    let mount = mounts.clone().and_then(|mounts| {
        let found = mount_of(&mounts, "/dev/shm").filter(|mount| mount.point == "/dev/shm");
        Known::from_option(found.cloned(), "/proc/self/mountinfo: no /dev/shm")
    });
    mount.and_then(|mount| {
        let stated = mount.options.split(',').find_map(|option| option.strip_prefix("size="));
        match stated {
            Some(size) => {
                let (digits, factor) =
                    match size.trim_end_matches(|sign: char| !sign.is_ascii_digit()) {
                        digits if size.ends_with('k') => (digits, 1024),
                        digits if size.ends_with('m') => (digits, 1 << 20),
                        digits if size.ends_with('g') => (digits, 1 << 30),
                        digits => (digits, 1),
                    };
                let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor));
                Known::from_option(
                    bytes.map(Bytes::new),
                    format!("/dev/shm: size={size} not expected"),
                )
            }
            None => crate::memory::memory(root).total.map(|total| Bytes::new(total.get() / 2)),
        }
    })
}

pub(super) fn checks(facts: &Facts, containers: &ContainerFacts) -> Vec<Check> {
    vec![
        runtime_check(facts, containers),
        snap(facts, containers),
        cdi_check(facts, containers),
        rootless(facts, containers),
        shared_memory(facts, containers),
        devices(facts, containers),
    ]
}

/// Why containers with devices are no question here.
fn no_question(facts: &Facts, containers: &ContainerFacts) -> Option<&'static str> {
    match (&facts.surroundings.container, facts.has_nvidia()) {
        (Some(_), _) => Some("in a container no other one is started"),
        (None, false) => Some("no NVIDIA device"),
        (None, true) if containers.docker.is_none() && !containers.podman => {
            Some("neither Docker nor Podman is installed")
        }
        (None, true) => None,
    }
}

fn runtime_check(facts: &Facts, containers: &ContainerFacts) -> Check {
    if let Some(why) = no_question(facts, containers) {
        return RUNTIME.not_applicable(why);
    }
    let configure =
        "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker";
    let generate = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";
    if let Some(why) = containers.toolkit.why() {
        return RUNTIME.unknown(why);
    }
    if containers.toolkit == Known::Value(false) {
        return RUNTIME
            .fault("containers get no NVIDIA device: the container toolkit is not installed")
            .seen("/usr/bin/nvidia-ctk is not there")
            .fix("sudo apt install nvidia-container-toolkit  # from NVIDIA's repository")
            .fix(if containers.docker.is_some() { configure } else { generate });
    }
    let cdi = containers.cdi.first().map(|(file, _)| file);
    match (&containers.runtime, cdi, containers.docker) {
        (Some(file), _, _) => {
            RUNTIME.ok("Docker gives containers NVIDIA devices").seen(format!("/{file}"))
        }
        (None, Some(file), _) => {
            RUNTIME.ok("containers are given NVIDIA devices by CDI").seen(file.clone())
        }
        (None, None, _) if containers.settings.why().is_some() => {
            RUNTIME.unknown(containers.settings.why().unwrap_or_default())
        }
        (None, None, Some(_)) => RUNTIME
            .fault("Docker does not know NVIDIA's runtime")
            .seen("/etc/docker/daemon.json: no runtime nvidia")
            .seen("/etc/cdi: no file for nvidia.com/gpu")
            .fix(configure),
        (None, None, None) => RUNTIME
            .fault("Podman does not know the NVIDIA devices")
            .seen("/etc/cdi: no file for nvidia.com/gpu")
            .fix(generate),
    }
}

fn snap(facts: &Facts, containers: &ContainerFacts) -> Check {
    if let Some(why) = no_question(facts, containers) {
        return SNAP.not_applicable(why);
    }
    match containers.docker {
        Some("snap") => SNAP
            .fault("Docker is a snap: its containers get no NVIDIA device")
            .seen("/snap/bin/docker")
            .fix("# first save what is needed: images (docker save) and /var/snap/docker/common/var-lib-docker/volumes go with the snap")
            .fix("sudo snap remove docker")
            .fix("sudo apt install docker.io nvidia-container-toolkit")
            .fix("sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"),
        Some(_) => SNAP.ok("Docker is a package of the system"),
        None => SNAP.not_applicable("Docker is not installed"),
    }
}

fn cdi_check(facts: &Facts, containers: &ContainerFacts) -> Check {
    if let Some(why) = no_question(facts, containers) {
        return CDI.not_applicable(why);
    }
    let loaded = facts.driver.as_ref().value().and_then(|driver| driver.loaded.clone().value());
    let (Some(loaded), false) = (loaded, containers.cdi.is_empty()) else {
        return CDI.not_applicable("no CDI file, or no driver");
    };
    let stale = containers.cdi.iter().find_map(|(file, versions)| {
        let other = versions.iter().find(|version| {
            version.parse::<nearside_catalog::Version>().is_ok_and(|version| version != loaded)
        });
        Some((file, other?))
    });
    match stale {
        None => CDI.ok("the CDI file names the loaded driver's libraries"),
        Some((file, version)) => CDI
            .fault(format!("the CDI file names libraries of driver {version}, {loaded} is loaded"))
            .seen(format!("{file}: libcuda.so.{version}"))
            .fix(format!("sudo nvidia-ctk cdi generate --output={file}")),
    }
}

fn rootless(facts: &Facts, containers: &ContainerFacts) -> Check {
    if let Some(why) = no_question(facts, containers) {
        return ROOTLESS.not_applicable(why);
    }
    if !containers.rootless {
        return ROOTLESS.not_applicable("Docker is not rootless");
    }
    let knows = containers.no_cgroups || !containers.cdi.is_empty();
    match (knows, &containers.settings) {
        (true, _) => ROOTLESS.ok("the toolkit knows of rootless Docker"),
        (false, Known::Unknown(why)) => ROOTLESS.unknown(&**why),
        (false, Known::Value(())) => ROOTLESS
            .warning("rootless Docker gets no NVIDIA device: the toolkit asks for control groups")
            .seen("/etc/nvidia-container-runtime/config.toml: no no-cgroups = true")
            .fix("sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place")
            .fix("nvidia-ctk runtime configure --runtime=docker --config=\"$HOME/.config/docker/daemon.json\" && systemctl --user restart docker"),
    }
}

fn shared_memory(facts: &Facts, containers: &ContainerFacts) -> Check {
    if facts.surroundings.container.is_none() {
        return SHARED_MEMORY.not_applicable("not in a container");
    }
    match containers.shared.clone() {
        Known::Unknown(why) => SHARED_MEMORY.unknown(&*why),
        Known::Value(size) if size >= ENOUGH_SHARED => {
            SHARED_MEMORY.ok(format!("/dev/shm has {size}"))
        }
        Known::Value(size) => {
            let title = format!("/dev/shm has only {size}");
            let check = match size <= USUAL_SHARED {
                true => SHARED_MEMORY.fault(title),
                false => SHARED_MEMORY.warning(title),
            };
            check
                .seen("/proc/self/mountinfo: /dev/shm")
                .fix("docker run --shm-size=8g ...  # or --ipc=host; in Kubernetes: an emptyDir with medium: Memory at /dev/shm")
        }
    }
}

fn devices(facts: &Facts, containers: &ContainerFacts) -> Check {
    if facts.surroundings.container.is_none() {
        return DEVICES.not_applicable("not in a container");
    }
    let bus = facts.accelerators.as_ref().value().is_some_and(|found| found.has(Vendor::Nvidia));
    match (bus, &containers.nodes) {
        (_, Known::Value(true)) => DEVICES.ok("this container has the device's files"),
        (true, Known::Unknown(why)) => DEVICES.unknown(&**why),
        (true, Known::Value(false)) => DEVICES
            .warning("the machine has an NVIDIA device, this container was not given it")
            .seen("/sys/bus/pci: a device of NVIDIA")
            .seen("/dev/nvidiactl is not there")
            .fix("docker run --gpus all ...  # podman run --device nvidia.com/gpu=all ..."),
        (false, _) => DEVICES.not_applicable("no NVIDIA device on the bus"),
    }
}
