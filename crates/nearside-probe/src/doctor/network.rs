//! How packages and models are reached: proxies, name servers, package indices. Nothing is sent.

use nearside_units::Known;

use super::Facts;
use super::check::{Check, Rule, Section};
use super::process::Process;
use super::surroundings::System;
use crate::address;
use crate::root::Root;

const PROXY: Rule = Rule {
    id: "proxy",
    section: Section::Network,
    says: "proxies are addresses with a scheme, the same in small and capital letters, and local servers are left out (NO_PROXY)",
    source: "curl(1), Python urllib and requests: variables of proxies",
};
const NAMES: Rule = Rule {
    id: "name-servers",
    section: Section::Network,
    says: "a name server is configured",
    source: "resolv.conf(5)",
};
const INDEX: Rule = Rule {
    id: "package-index",
    section: Section::Network,
    says: "packages come over encrypted connections from hosts whose certificates are checked",
    source: "pip, configuration (index-url, trusted-host)",
};
const OFFLINE: Rule = Rule {
    id: "offline-variables",
    section: Section::Network,
    says: "no variable keeps libraries from fetching models by surprise",
    source: "Hugging Face Hub, environment variables (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE)",
};

pub(super) const RULES: &[&Rule] = &[&PROXY, &NAMES, &INDEX, &OFFLINE];

/// What is read of the network.
#[derive(Clone, Debug)]
pub(super) struct NetworkFacts {
    name_servers: Known<usize>,
    /// Whether systemd-resolved is there to be asked.
    resolved: bool,
    /// Files of pip and the lines in them that are not safe.
    unsafe_lines: Vec<(String, String)>,
}

impl NetworkFacts {
    pub(super) fn read(root: Root<'_>, process: &Process) -> Self {
        let home = process.home().unwrap_or("/nonexistent");
        let files = [
            "/etc/pip.conf".to_owned(),
            format!("{home}/.config/pip/pip.conf"),
            format!("{home}/.pip/pip.conf"),
        ];
        let lines = files.iter().flat_map(|file| {
            let text = root.text(file).value().unwrap_or_default();
            let lines = text.lines().filter(|line| is_unsafe(line)).map(str::trim);
            lines.map(|line| (file.clone(), shown(line))).collect::<Vec<_>>()
        });
        Self {
            name_servers: root.text("etc/resolv.conf").map(|text| {
                text.lines().filter(|line| line.trim_start().starts_with("nameserver")).count()
            }),
            resolved: root.has("run/systemd/resolve/stub-resolv.conf"),
            unsafe_lines: lines.collect(),
        }
    }
}

/// A line of `pip.conf` that switches encryption or certificates off.
fn is_unsafe(line: &str) -> bool {
    let line = line.trim();
    let Some((key, value)) = line.split_once('=') else { return false };
    match key.trim() {
        "trusted-host" => !value.trim().is_empty(),
        "index-url" | "extra-index-url" => value.trim().starts_with("http://"),
        _ => false,
    }
}

/// A line of `pip.conf` without what is nobody else's business.
fn shown(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) if key.trim() == "trusted-host" => "trusted-host is set".to_owned(),
        _ => masked(line),
    }
}

/// Names and passwords in addresses are not repeated: all before the last `@` of the host's part,
/// with or without a scheme. Several addresses are several words.
pub(super) fn masked(text: &str) -> String {
    text.split(' ').map(masked_word).collect::<Vec<_>>().join(" ")
}

fn masked_word(word: &str) -> String {
    match address::parts(word) {
        (scheme, Some(_secret), rest) => format!("{scheme}***@{rest}"),
        (_, None, _) => word.to_owned(),
    }
}

pub(super) fn checks(facts: &Facts, network: &NetworkFacts) -> Vec<Check> {
    vec![proxy(&facts.process), names(facts, network), index(network), offline(&facts.process)]
}

fn proxy(process: &Process) -> Check {
    let of = |name: &str| process.variable(name).map(|value| (name.to_owned(), value.to_owned()));
    let set: Vec<_> =
        ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
            .into_iter()
            .filter_map(of)
            .collect();
    let Some(first) = set.first() else { return PROXY.ok("no proxy is set") };
    let shown = |(name, value): &(String, String)| format!("{name}={}", masked(value));
    if let Some(bare) = set.iter().find(|(_, value)| !value.contains("://")) {
        return PROXY.warning(format!("{} has no scheme", bare.0)).seen(shown(bare)).fix(format!(
            "export {}=http://{}",
            bare.0,
            masked(&bare.1)
        ));
    }
    for (small, capital) in [("http_proxy", "HTTP_PROXY"), ("https_proxy", "HTTPS_PROXY")] {
        if let (Some(one), Some(other)) = (process.variable(small), process.variable(capital))
            && one != other
        {
            return PROXY
                .warning(format!("{small} and {capital} differ: programs go different ways"))
                .seen(format!("{small}={}, {capital}={}", masked(one), masked(other)))
                .fix(format!("export {capital}=\"${small}\""));
        }
    }
    let except = process.variable("no_proxy").or_else(|| process.variable("NO_PROXY"));
    let local = except.is_some_and(|list| {
        list.split(',')
            .any(|host| matches!(host.trim(), "*" | "localhost" | "127.0.0.1" | "127.0.0.0/8"))
    });
    match local {
        true => PROXY.ok("a proxy is set, and local servers are left out").seen(shown(first)),
        false => PROXY
            .warning(
                "a proxy is set, and local servers (vLLM, Ollama, notebooks) are asked through it",
            )
            .seen(shown(first))
            .fix("export NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1"),
    }
}

fn names(facts: &Facts, network: &NetworkFacts) -> Check {
    if matches!(facts.surroundings.system, System::MacOs(_) | System::Unknown) {
        return NAMES.not_applicable("name servers are not kept in /etc/resolv.conf");
    }
    match &network.name_servers {
        Known::Unknown(why) => NAMES.unknown(&**why),
        Known::Value(0) => NAMES
            .warning("no name server is configured: no host is found")
            .seen("/etc/resolv.conf: no nameserver")
            .fix(match network.resolved {
                true => "sudo ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
                false => "echo 'nameserver ADDRESS' | sudo tee /etc/resolv.conf  # the address that this network gives",
            }),
        Known::Value(1) => NAMES.ok("a name server is configured"),
        Known::Value(count) => NAMES.ok(format!("{count} name servers are configured")),
    }
}

fn index(network: &NetworkFacts) -> Check {
    match network.unsafe_lines.first() {
        None => INDEX.ok("pip checks certificates"),
        Some((file, line)) => INDEX
            .warning("pip takes packages without checking who sends them")
            .seen(format!("{file}: {line}"))
            .fix("pip config unset global.trusted-host  # and an index-url that begins with https://"),
    }
}

fn offline(process: &Process) -> Check {
    let on = |name: &&str| {
        process.variable(name).is_some_and(|value| {
            matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on")
        })
    };
    let names = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"];
    match names.iter().find(|name| on(name)) {
        None => OFFLINE.ok("libraries may fetch models"),
        Some(name) => OFFLINE
            .warning(format!("{name} is set: models that are not in the cache are not found"))
            .seen(format!("{name}={}", process.variable(name).unwrap_or_default()))
            .fix(format!("unset {name}  # unless it is meant")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_proxies_are_not_repeated() {
        assert_eq!(masked("http://me:secret@proxy:3128"), "http://***@proxy:3128");
        assert_eq!(masked("http://proxy:3128"), "http://proxy:3128");
        assert_eq!(masked("me:secret@proxy:3128"), "***@proxy:3128");
        assert_eq!(masked("http://me:s@cr@t@proxy/a@b"), "http://***@proxy/a@b");
        assert_eq!(masked("proxy:3128/a@b"), "proxy:3128/a@b");
        let two = "extra-index-url = http://me:one@a http://me:two@b";
        assert_eq!(masked(two), "extra-index-url = http://***@a http://***@b");
    }

    #[test]
    fn unsafe_lines_of_pip_are_found() {
        assert!(is_unsafe("trusted-host = pypi.org"));
        assert!(is_unsafe("index-url=http://mirror/simple"));
        assert!(!is_unsafe("index-url = https://pypi.org/simple"));
        assert!(!is_unsafe("# trusted-host = x"));
    }
}
