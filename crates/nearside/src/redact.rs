//! What reports and the ledger leave out: who and where somebody is, and whatever opens a door.

use nearside_probe::doctor::Identity;

/// Shorter names would be found in other words.
const SHORTEST_NAME: usize = 3;
/// Letters and digits in a row that no word has: a key, a serial number, a digest.
const LONGEST_WORD: usize = 28;
/// How tokens of well-known services begin.
const TOKENS: [&str; 9] =
    ["hf_", "sk-", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "AKIA", "wandb_"];

/// What is put in place of what.
pub(crate) struct Redaction {
    home: Option<String>,
    names: Vec<(String, &'static str)>,
}

impl Redaction {
    pub(crate) fn of(identity: &Identity) -> Self {
        let home = identity.home.clone().filter(|home| home.len() > 1);
        let own = home.as_deref().and_then(|home| home.rsplit('/').next()).map(str::to_owned);
        let users = [identity.user.clone(), own].into_iter().flatten();
        let names = users.map(|name| (name, "USER"));
        let label = identity.host.as_deref().and_then(|host| host.split('.').next());
        let hosts = [identity.host.clone(), label.map(str::to_owned)].into_iter().flatten();
        let hosts = hosts.map(|name| (name, "HOST"));
        let long = |(name, _): &(String, _)| name.len() >= SHORTEST_NAME && name != "root";
        Self { home, names: names.chain(hosts).filter(long).collect() }
    }

    /// The text without them.
    pub(crate) fn applied(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(home) = &self.home {
            text = text.replace(home.as_str(), "~");
        }
        for (name, instead) in &self.names {
            text = without_word(&text, name, instead);
        }
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The text with a word replaced where it stands by itself.
fn without_word(text: &str, word: &str, instead: &str) -> String {
    let joins = |sign: Option<char>| sign.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
    let (mut found, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let alone = !joins(before.chars().next_back()) && !joins(after.chars().next());
        found.push_str(before);
        found.push_str(if alone { instead } else { word });
        rest = after;
    }
    found + rest
}

/// A line without addresses of hosts, serial numbers, passwords and tokens.
pub(crate) fn line(line: &str) -> String {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || "-_:/.@*".contains(sign);
    let mut found = String::new();
    let mut word = String::new();
    for sign in line.chars().map(Some).chain([None]) {
        match sign.filter(|sign| is_part(*sign)) {
            Some(sign) => word.push(sign),
            None => {
                let proxy = is_proxy(&found) && !word.is_empty() && !word.contains("://");
                let secret = is_secret(&found) && !word.is_empty();
                found.push_str(&match (proxy, secret) {
                    (true, _) => "HOST".to_owned(),
                    (_, true) => "REMOVED".to_owned(),
                    _ => masked(&word),
                });
                word.clear();
                found.extend(sign);
            }
        }
    }
    found
}

/// Whether what follows is the address of a proxy: `https_proxy=`, but not `no_proxy=`.
fn is_proxy(before: &str) -> bool {
    let before = before.to_lowercase();
    before.ends_with("_proxy=") && !before.ends_with("no_proxy=")
}

/// Whether what follows is a secret by its name: `password=`, `API_KEY=`.
fn is_secret(before: &str) -> bool {
    let before = before.to_lowercase();
    ["password=", "passwd=", "secret=", "token=", "api_key=", "apikey="]
        .iter()
        .any(|name| before.ends_with(name))
}

fn masked(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        return match public(rest) {
            true => word.to_owned(),
            false => format!("{scheme}://HOST"),
        };
    }
    let runs = word.split(|sign: char| !sign.is_ascii_alphanumeric());
    let named = word.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
    let secret = named
        || TOKENS.iter().any(|token| word.starts_with(token) && word.len() > token.len() + 8)
        || runs.clone().any(|run| run.len() > LONGEST_WORD)
        || is_uuid(word)
        || is_address(word);
    if secret { "REMOVED".to_owned() } else { word.to_owned() }
}

/// Whether an address is one of those that the doctor itself writes.
fn public(rest: &str) -> bool {
    const HOSTS: [&str; 3] = ["download.pytorch.org", "docs.nvidia.com", "pypi.org"];
    HOSTS.iter().any(|host| {
        rest.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// `GPU-11111111-2222-3333-4444-555555555555`, with or without what stands before.
fn is_uuid(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    parts.windows(lengths.len()).any(|window| {
        window.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|sign| sign.is_ascii_hexdigit())
        })
    })
}

/// An address of the network (four numbers; `127.0.0.1` says nothing) or of an adapter.
fn is_address(word: &str) -> bool {
    let word = word.split(['/', '@']).next().unwrap_or(word);
    let numbers = word.split(':').next().unwrap_or(word).split('.');
    let four = numbers.clone().count() == 4
        && numbers.clone().all(|part| !part.is_empty() && part.parse::<u8>().is_ok());
    let adapter = word.split(':').count() == 6
        && word
            .split(':')
            .all(|part| part.len() == 2 && part.bytes().all(|it| it.is_ascii_hexdigit()));
    four && !word.starts_with("127.") || adapter
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let identity = Identity {
            home: Some("/home/ada".to_owned()),
            user: Some("ada".to_owned()),
            host: Some("lovelace".to_owned()),
        };
        Redaction::of(&identity).applied(text)
    }

    #[test]
    fn nobody_is_named() {
        let text = "/home/ada/project on lovelace by ada: adage, lovelaces";
        assert_eq!(redacted(text), "~/project on HOST by USER: adage, lovelaces");
    }

    #[test]
    fn nothing_that_opens_a_door_stays() {
        for secret in [
            "hf_abcdefghijklmnop",
            "sk-proj-0123456789",
            "GPU-11111111-2222-3333-4444-555555555555",
            "0123456789abcdef0123456789abcdef",
            "me:word@proxy.corp",
            "10.1.2.3",
            "10.1.2.3:8080",
            "0a:1b:2c:3d:4e:5f",
        ] {
            assert_eq!(redacted(&format!("seen {secret}, so")), "seen REMOVED, so", "{secret}");
        }
        assert_eq!(redacted("https_proxy=http://proxy.corp:3128/x"), "https_proxy=http://HOST");
        assert_eq!(redacted("http_proxy=http://***@proxy.corp:80"), "http_proxy=http://HOST");
        assert_eq!(
            redacted("no token=abc, no DB_PASSWORD=x"),
            "no token=REMOVED, no DB_PASSWORD=REMOVED"
        );
        assert_eq!(redacted("HTTPS_PROXY=proxy.corp:3128"), "HTTPS_PROXY=HOST");
    }

    #[test]
    fn versions_paths_and_commands_stay() {
        for text in [
            "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05",
            "pip install 'torch==2.14.*' --index-url https://download.pytorch.org/whl/cu126",
            "/sys/bus/pci/devices/0000:01:00.0/driver: nouveau",
            "export NO_PROXY=localhost,127.0.0.1,::1",
            "git@example.org:a/b.git and tokens=5",
            "6.8.0-52-generic, driver 525.60.13",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
