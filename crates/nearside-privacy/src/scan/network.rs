//! Addresses of networks: e-mail, IP, hardware, and credentials within URLs.

use std::net::Ipv6Addr;

use super::account_name;
use super::credential;
use super::cue::{Cue, Cues};
use super::entity::Entity;
use super::finding::{Hit, Proof};
use super::number::{Run, is_free_after, is_free_before, is_word};
use super::view::{View, weigh};

/// The longest local part and host of an address (RFC 5321).
const MAX_LOCAL: usize = 64;
const MAX_HOST: usize = 253;

/// An e-mail address around an `@`, or a password before the host of a URL. Answers where to go on.
pub(super) fn at_sign(view: &View<'_>, at: usize, hits: &mut Vec<Hit>) -> usize {
    let local = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b"._%+-'!#$&*/=?^`{|}~".contains(byte) || *byte >= 0x80
    };
    let host =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || *byte >= 0x80;
    let before = view.slice(at.saturating_sub(MAX_LOCAL), at);
    let length = before.iter().rev().take_while(|byte| local(byte)).count();
    let mut start = at - length;
    // What may stand in an address but rather belongs to what is around it: `mailto=`, `'`, `/`.
    let name = view.slice(start, at);
    if let Some(cut) = name.iter().rposition(|byte| b"='/`|{}?&!#$^*".contains(byte)) {
        start += cut + 1;
    }
    while view.at(start).is_some_and(|byte| matches!(byte, b'.' | b'-' | b'%' | b'+')) && start < at
    {
        start += 1;
    }
    let after = view.slice(at + 1, at + 1 + MAX_HOST);
    let mut end = at + 1 + after.iter().take_while(|byte| host(byte)).count();
    while end > at + 1 && view.before(end).is_some_and(|byte| matches!(byte, b'.' | b'-')) {
        end -= 1;
    }
    if url_credentials(view, at, end, hits) {
        return end.max(at + 1);
    }
    if start == at {
        account_name::mention(view, at + 1, hits);
        return at + 1;
    }
    if view.at(end) == Some(b'@') || !is_host(view.slice(at + 1, end)) {
        account_name::on_host(view, at, hits);
        return at + 1;
    }
    let scoped = matches!(view.slice(start, at), b"git" | b"svn" | b"hg");
    let url = view.slice(start.saturating_sub(3), start) == b"://";
    if view.before(at).is_some_and(|byte| byte == b'.')
        || (scoped && (url || view.at(end) == Some(b':')))
    {
        return at + 1;
    }
    hits.push(Hit::new(Entity::Email, start..end, 95, "email"));
    end
}

/// Whether a host has labels and a top-level domain of letters.
fn is_host(host: &[u8]) -> bool {
    let mut labels = host.rsplit(|byte| *byte == b'.');
    let top = labels.next().unwrap_or(&[]);
    /// Ends of file names that are no domain: `logo@2x.png`.
    const FILES: [&[u8]; 14] = [
        b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"css", b"js", b"json", b"html", b"txt",
        b"xml", b"yaml", b"pdf",
    ];
    if FILES.contains(&top) {
        return false;
    }
    let letters = top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    let punycode = top.starts_with(b"xn--");
    let mut rest = 0;
    let sound = labels.all(|label| {
        rest += 1;
        !label.is_empty() && label.len() <= 63 && label.first() != Some(&b'-')
    });
    top.len() >= 2 && (letters || punycode) && sound && rest > 0
}

/// `https://user:password@host`: the password. Answers whether it is one.
fn url_credentials(view: &View<'_>, at: usize, host_end: usize, hits: &mut Vec<Hit>) -> bool {
    const MAX: usize = 256;
    let inside = |byte: &&u8| !byte.is_ascii_whitespace() && !b"/\"'<>@".contains(byte);
    let before = view.slice(at.saturating_sub(MAX), at);
    let start = at - before.iter().rev().take_while(inside).count();
    if view.slice(start.saturating_sub(3), start) != b"://" {
        return false;
    }
    let credentials = view.slice(start, at);
    let Some(colon) = credentials.iter().position(|byte| *byte == b':') else { return false };
    let password = credentials.get(colon + 1..).unwrap_or(&[]);
    if credential::is_password(password) && host_end > at + 1 {
        hits.push(Hit::new(Entity::Password, start + colon + 1..at, 90, "password.url"));
    }
    true
}

/// Four numbers up to 255 with points between.
pub(super) fn version_4(view: &View<'_>, run: &Run<'_>, hits: &mut Vec<Hit>) {
    let Some(groups) = run.take(0, 4) else { return };
    let dotted = groups.iter().skip(1).all(|group| group.before == b'.');
    let small = groups.iter().all(|group| (1..=3).contains(&group.length));
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return };
    let end = last.start + last.length;
    let port = view.at(end) == Some(b':');
    let net = view.at(end) == Some(b'/');
    // A comma before it separates values: no number of thousands has points.
    let opens = run.opens(0) || view.before(first.start) == Some(b',');
    let free = opens && (run.closes(3) || port || net || view.at(end) == Some(b','));
    if !dotted || !small || !free || run.groups().get(4).is_some_and(|group| group.before == b'.') {
        return;
    }
    let Some(octets) = std::str::from_utf8(view.slice(first.start, end))
        .ok()
        .and_then(|text| text.parse::<std::net::Ipv4Addr>().ok())
    else {
        return;
    };
    // Nobody's address: this host, everyone, groups, masks of nets, examples of documents.
    let nobody = octets.is_loopback() || octets.octets()[0] == 0 || octets.octets()[0] >= 224;
    if nobody || octets.is_documentation() {
        return;
    }
    let cues = view.cues(first.start);
    let base = if is_numbering(octets.octets()) && !port && !net { 40 } else { 70 };
    let score = weigh(base, cues, Cues::of(&[Cue::Ip]), Cues::NONE);
    let score = if cues.has(Cue::Version) { score.min(30) } else { score };
    hits.push(Hit::new(Entity::Ip, first.start..end, score, "ip.v4").because(Proof::Form, cues));
    account_name::beside_address(view, first.start, end, hits);
}

/// Whether four numbers rather count sections of a document, versions or object identifiers: all
/// are small, or they begin as identifiers of standards do.
fn is_numbering(octets: [u8; 4]) -> bool {
    let identifier = matches!(octets, [1, 0..=3, ..] | [2, 1 | 2 | 5 | 16 | 23, ..]);
    identifier || (octets[0] != 10 && octets.iter().all(|octet| *octet < 30))
}

/// Six pairs of hexadecimal digits (hardware), or groups of up to four (IPv6), from a hexadecimal
/// word on. Answers where to go on.
pub(super) fn hexadecimal(
    view: &View<'_>,
    start: usize,
    word_end: usize,
    hits: &mut Vec<Hit>,
) -> usize {
    if view.before(start).is_some_and(|byte| is_word(byte) || byte == b'.') {
        return word_end;
    }
    let separator = view.at(word_end).unwrap_or(0);
    if word_end - start == 2 && matches!(separator, b':' | b'-') && !chained(view, start, separator)
    {
        let text = view.slice(start, start + 17);
        let pairs = text.len() == 17
            && text.iter().enumerate().all(|(index, byte)| match index % 3 {
                2 => *byte == separator,
                _ => byte.is_ascii_hexdigit(),
            });
        let next = view.at(start + 17);
        let goes_on = next.is_some_and(|byte| is_word(byte) || byte == separator);
        let told = text.iter().any(|byte| !matches!(byte, b'0' | b'f' | b'F' | b':' | b'-'));
        if pairs && !goes_on && told {
            hits.push(Hit::new(Entity::Mac, start..start + 17, 90, "mac"));
            return start + 17;
        }
    }
    match separator {
        b':' => version_6(view, start, hits).unwrap_or(word_end),
        _ => word_end,
    }
}

/// Three groups of four hexadecimal digits with points between, as Cisco writes hardware. Answers
/// where to go on.
pub(super) fn dotted_hardware(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> usize {
    let text = view.slice(start, start + 14);
    let form = text.len() == 14
        && text.iter().enumerate().all(|(index, byte)| match index % 5 {
            4 => *byte == b'.',
            _ => byte.is_ascii_hexdigit(),
        });
    let letters = text.iter().any(u8::is_ascii_alphabetic);
    if !form
        || !letters
        || !is_free_before(view.text, start)
        || !is_free_after(view.text, start + 14)
    {
        return start;
    }
    // Code points of Unicode and identifiers are written with points and capitals too.
    let small = !text.iter().any(u8::is_ascii_uppercase);
    let score = if small || view.cues(start).has(Cue::Mac) { 75 } else { 40 };
    hits.push(Hit::new(Entity::Mac, start..start + 14, score, "mac.dotted"));
    start + 14
}

/// Whether the same kind of pairs goes on to the left, as in fingerprints of keys.
fn chained(view: &View<'_>, start: usize, separator: u8) -> bool {
    view.before(start) == Some(separator)
        && start
            .checked_sub(2)
            .and_then(|at| view.at(at))
            .is_some_and(|byte| byte.is_ascii_hexdigit())
}

/// An IPv6 address from its first group on: eight groups, or fewer with digits and a gap.
fn version_6(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    let text = view.slice(start, start + 45);
    let length = text
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        .count();
    let mut end = start + length;
    while view
        .before(end)
        .is_some_and(|byte| byte == b'.' || (byte == b':' && view.slice(end - 2, end) != b"::"))
    {
        end -= 1;
    }
    let text = view.slice(start, end);
    let groups = text.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let digits = text.iter().any(u8::is_ascii_digit);
    if groups < 2 || !digits || (groups < 8 && !text.windows(2).any(|two| two == b"::")) {
        return None;
    }
    if view.at(end).is_some_and(is_word) || view.before(start) == Some(b':') {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    // Eight pairs are an address of hardware or part of a fingerprint.
    if groups == 8 && text.len() == 23 && text.iter().skip(2).step_by(3).all(|byte| *byte == b':') {
        return None;
    }
    // Given out or used within nets; `Fe32::A` and `12::5` are names of code and times.
    let first = address.segments()[0];
    let known = matches!(first, 0x64 | 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf);
    let example = first == 0x2001 && address.segments()[1] == 0x0db8 || first == 0x3fff;
    if !known || example {
        return None;
    }
    hits.push(Hit::new(Entity::Ip, start..end, 85, "ip.v6"));
    account_name::beside_address(view, start, end, hits);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn addresses_are_found_whole() {
        found(
            "mail john.o-neil+x@mail.acme-corp.co.uk, or",
            "EMAIL",
            "john.o-neil+x@mail.acme-corp.co.uk",
        );
        found("<mailto=ann@acme.org>", "EMAIL", "ann@acme.org");
        found("grüße@bücher.de", "EMAIL", "grüße@bücher.de");
        found("from 10.53.56.153:8080 on", "IP", "10.53.56.153");
        found("at 2a02:ce80:1:2:3:4:5:6.", "IP", "2a02:ce80:1:2:3:4:5:6");
        found("at fe80::1ff:fe23:4567:890a ", "IP", "fe80::1ff:fe23:4567:890a");
        found("MAC e8:04:7f:38:2f:97.", "MAC", "e8:04:7f:38:2f:97");
        found("MAC 86-14-96-7b-4e-9f", "MAC", "86-14-96-7b-4e-9f");
        found("https://bob:hunter22@host/x", "PASSWORD", "hunter22");
    }

    #[test]
    fn what_looks_like_one_is_none() {
        for text in [
            "@types/node@4.7.1",
            "@pytest.mark.slow",
            "user@<host>",
            "git@github.com:a/b.git",
            "version 12.36.7.9",
            "v1.2.3.4",
            "1.2.3.4.5",
            "127.0.0.1",
            "255.255.255.0",
            "a::b::c",
            "std::vec",
            "12:34:56",
            "fe::add::be",
            "aa:bb:cc:dd:ee:ff:00:11",
            "ff:ff:ff:ff:ff:ff",
        ] {
            nothing(text);
        }
    }
}
