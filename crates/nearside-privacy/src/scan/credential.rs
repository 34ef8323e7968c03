//! Credentials that are known by where they stand: an option of a command, the head of a request,
//! a call, a line of a file of passwords, the address of a hook. And passwords as they are stored.

use super::cue::{Cue, Cues};
use super::entity::Entity;
use super::finding::{Hit, Proof};
use super::number::is_word;
use super::secret::is_random;
use super::view::View;

const PASSWORD: Cues = Cues::of(&[Cue::Password]);
const TOKEN: Cues = Cues::of(&[Cue::Token]);
/// The most bytes of a password.
const MAX_PASSWORD: usize = 128;
/// The most bytes before an option in which its command stands.
const COMMAND: usize = 256;

fn push(entity: Entity, (start, end): (usize, usize), rule: &'static str, hits: &mut Vec<Hit>) {
    let cues = if entity == Entity::Password { PASSWORD } else { TOKEN };
    hits.push(Hit::new(entity, start..end, 88, rule).because(Proof::Labelled, cues));
}

/// Whether a text may be a password where its place says that one stands there: no reference to
/// another value, no word that only says what belongs there.
pub(super) fn is_password(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 22] = [
        b"pass",
        b"passwd",
        b"password",
        b"passwort",
        b"passphrase",
        b"pwd",
        b"pw",
        b"secret",
        b"token",
        b"changeme",
        b"group",
        b"xyz",
        b"foo",
        b"bar",
        b"none",
        b"null",
        b"true",
        b"false",
        b"self",
        b"apikey",
        b"redacted",
        b"example",
    ];
    let first = text.first().copied().unwrap_or(0);
    // `${X}` and `$X` name another value; a hash opens with a dollar and a small number of its own.
    let named = first == b'$' && !text.iter().skip(1).any(|byte| *byte == b'$');
    let holds = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    (3..=MAX_PASSWORD).contains(&text.len())
        && !named
        && !b"<{%(".contains(&first)
        && !text.iter().all(|byte| b"xX*.-#_".contains(byte))
        && ![&b"${"[..], b"{{", b"$(", b"://"].into_iter().any(holds)
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        && !text.to_ascii_lowercase().starts_with(b"your")
}

/// The value of an option or argument: what stands between quotes, else up to a blank.
fn argument(view: &View<'_>, at: usize) -> (usize, usize) {
    let rest = view.slice(at, at + MAX_PASSWORD + 2);
    let length = |stop: &dyn Fn(&u8) -> bool, from: usize| {
        let rest = rest.get(from..).unwrap_or(&[]);
        rest.iter().position(stop).unwrap_or(rest.len())
    };
    match rest.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let inside = length(&|byte| byte == quote || *byte == b'\n', 1);
            (at + 1, at + 1 + inside)
        }
        _ => {
            let stop = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`;|&<>)".contains(byte);
            (at, at + length(&stop, 0))
        }
    }
}

/// A command, the names of its options, and where in their value the password stands.
type CommandOption = (&'static [u8], &'static [&'static [u8]], Part);

/// Commands, the letters of their options, and where in the value of one the password stands.
const OPTIONS: [CommandOption; 12] = [
    (b"curl", &[b"u", b"-user", b"U", b"-proxy-user"], Part::After(b':')),
    (b"wget", &[b"-http-password", b"-ftp-password", b"-password"], Part::Whole),
    (b"http", &[b"a", b"-auth"], Part::After(b':')),
    (b"mysql", &[b"p", b"-password"], Part::Attached),
    (b"mariadb", &[b"p", b"-password"], Part::Attached),
    (b"sshpass", &[b"p"], Part::Whole),
    (b"login", &[b"p", b"-password"], Part::Whole),
    (b"redis-cli", &[b"a", b"-pass"], Part::Whole),
    (b"mongo", &[b"p", b"-password"], Part::Whole),
    (b"smbclient", &[b"U", b"-user"], Part::After(b'%')),
    (b"ldap", &[b"w"], Part::Whole),
    (b"sqlcmd", &[b"P"], Part::Whole),
];

/// Where in the value of an option its password stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it, after a blank or `=` or attached.
    Whole,
    /// All of it, attached to the letter or after `=`; a blank ends the option.
    Attached,
    /// What follows this byte.
    After(u8),
}

/// `curl -u user:password`, `mysql -pPASSWORD`, `sshpass -p ...`: from the dash of the option on.
pub(super) fn option(view: &View<'_>, dash: usize, hits: &mut Vec<Hit>) {
    if !view.before(dash).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'')) {
        return;
    }
    let name = view.slice(dash + 1, dash + 16);
    if !name.first().is_some_and(|byte| b"upaPUw-".contains(byte)) {
        return;
    }
    let before = view.slice(dash.saturating_sub(COMMAND), dash);
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let before = before.get(line..).unwrap_or(&[]);
    for (command, options, part) in OPTIONS {
        let Some(option) = options.iter().find(|option| name.starts_with(option)) else { continue };
        if !runs(before, command) {
            continue;
        }
        let after = dash + 1 + option.len();
        let start = match (view.at(after), part) {
            (Some(b' ' | b'='), Part::Whole | Part::After(_)) => after + 1,
            (Some(b'='), Part::Attached) => after + 1,
            (Some(b' '), Part::Attached) | (None, _) => return,
            // Longer names are not attached to their value.
            _ if option.len() > 1 => return,
            _ => after,
        };
        let (start, end) = argument(view, start);
        let from = match part {
            Part::After(mark) => {
                let value = view.slice(start, end);
                let Some(at) = value.iter().position(|byte| *byte == mark) else { return };
                start + at + 1
            }
            Part::Whole | Part::Attached => start,
        };
        if is_password(view.slice(from, end)) {
            push(Entity::Password, (from, end), "password.option", hits);
        }
        return;
    }
}

/// Whether a line calls a command: its name, or one that goes on with it (`mysqldump`).
fn runs(line: &[u8], command: &[u8]) -> bool {
    memchr::memmem::find_iter(line, command).any(|at| {
        let free = at.checked_sub(1).and_then(|before| line.get(before));
        !free.is_some_and(|byte| is_word(*byte) || *byte == b'-')
    })
}

/// `Bearer 7c1fK29s...`, `Basic YWxhZGRpbjpvcGVu...`: a scheme of HTTP and what it sends.
pub(super) fn scheme(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    let body = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let from = end + 1;
    let sent = view.slice(from, from + 1024);
    let mut length = sent.iter().take_while(|byte| body(byte)).count();
    while sent.get(length.wrapping_sub(1)) == Some(&b'.') {
        length -= 1;
    }
    let sent = sent.get(..length).unwrap_or(&[]);
    let word = view.slice(start, end);
    if word.eq_ignore_ascii_case(b"basic") {
        if decodes_to_a_pair(sent) {
            push(Entity::Password, (from, from + length), "password.basic", hits);
        }
        return;
    }
    let digits = sent.iter().any(u8::is_ascii_digit);
    let letters = sent.iter().any(u8::is_ascii_alphabetic);
    if word.eq_ignore_ascii_case(b"bearer")
        && length >= 16
        && digits
        && letters
        && is_random(sent)
        && !view.at(from + length).is_some_and(is_word)
    {
        push(Entity::ApiKey, (from, from + length), "key.bearer", hits);
    }
}

/// Whether base 64 stands for printable `user:password`.
fn decodes_to_a_pair(text: &[u8]) -> bool {
    if !text.len().is_multiple_of(4) {
        return false;
    }
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let (mut bits, mut count, mut colon) = (0_u32, 0, false);
    for (index, byte) in text.iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let decoded = (bits >> count & 0xff) as u8;
            if !(0x20..0x7f).contains(&decoded) && decoded < 0x80 {
                return false;
            }
            colon |= decoded == b':' && index > 0;
        }
    }
    colon && text.len() >= 10
}

/// `auth=("user", "password")`, `HTTPBasicAuth('user', 'password')`, from the bracket on.
pub(super) fn call(view: &View<'_>, bracket: usize, hits: &mut Vec<Hit>) {
    const NAMES: [&[u8]; 5] = [b"auth", b"login", b"credential", b"signin", b"authenticate"];
    let Some(quote @ (b'"' | b'\'')) = view.at(bracket + 1) else { return };
    let before = view.slice(bracket.saturating_sub(48), bracket);
    let inside = |byte: &&u8| is_word(**byte) || b"=: .>".contains(byte);
    let length = before.iter().rev().take_while(|byte| inside(byte)).count();
    let name = before.get(before.len() - length..).unwrap_or(&[]);
    let words = || name.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty());
    // The name that is called, or assigned to; `::new` only makes one.
    let last = words().rfind(|word| !matches!(*word, b"new" | b"tuple" | b"from"));
    let lower = last.unwrap_or(&[]).to_ascii_lowercase();
    let tail = |known: &&[u8]| {
        lower.ends_with(known) || lower.strip_suffix(b"s").is_some_and(|less| less.ends_with(known))
    };
    if !NAMES.iter().any(tail) {
        return;
    }
    let strings = view.slice(bracket + 1, bracket + 1 + 2 * MAX_PASSWORD);
    let end_of_first = strings.iter().skip(1).position(|byte| *byte == quote).map(|at| at + 1);
    let Some(end_of_first) = end_of_first else { return };
    let rest = strings.get(end_of_first + 1..).unwrap_or(&[]);
    let gap = rest.iter().take_while(|byte| matches!(byte, b',' | b' ')).count();
    if gap == 0 || rest.get(gap) != Some(&quote) {
        return;
    }
    let start = bracket + 1 + end_of_first + 1 + gap + 1;
    let (start, end) = argument(view, start - 1);
    let closed = view.at(end) == Some(quote);
    let next = view.slice(end + 1, end + 3).iter().find(|byte| **byte != b' ').copied();
    if closed && matches!(next, Some(b')' | b']' | b',')) && is_password(view.slice(start, end)) {
        push(Entity::Password, (start, end), "password.call", hits);
    }
}

/// A password as it is stored: `$6$salt$hash`, `$2b$12$...`, `$argon2id$v=19$...`, from its dollar on.
/// Answers where to go on.
pub(super) fn hash(view: &View<'_>, dollar: usize, hits: &mut Vec<Hit>) -> usize {
    /// What the scheme is called, how many fields come after it, the least bytes of the last.
    const SCHEMES: [(&[u8], usize, usize); 15] = [
        (b"1", 2, 22),
        (b"5", 2, 43),
        (b"6", 2, 80),
        (b"y", 3, 40),
        (b"gy", 3, 40),
        (b"7", 2, 40),
        (b"apr1", 2, 22),
        (b"2a", 2, 53),
        (b"2b", 2, 53),
        (b"2x", 2, 53),
        (b"2y", 2, 53),
        (b"argon2id", 4, 16),
        (b"argon2i", 4, 16),
        (b"argon2d", 4, 16),
        (b"scrypt", 3, 16),
    ];
    let body = |byte: &u8| byte.is_ascii_alphanumeric() || b"./+=,$".contains(byte);
    let text = view.slice(dollar + 1, dollar + 300);
    let opens = text.first().is_some_and(u8::is_ascii_alphanumeric);
    let Some(mark) = text.iter().take(9).position(|byte| *byte == b'$').filter(|_| opens) else {
        return dollar + 1;
    };
    let known = SCHEMES.iter().find(|(name, ..)| text.get(..mark) == Some(name));
    let Some((_, fields, least)) = known else { return dollar + 1 };
    let length = text.iter().take_while(|byte| body(byte)).count();
    let text = text.get(..length).unwrap_or(&[]);
    let count = text.iter().filter(|byte| **byte == b'$').count();
    let last = text.rsplit(|byte| *byte == b'$').next().map_or(0, <[u8]>::len);
    // `rounds=` is a field that may be left out.
    if count < *fields || count > fields + 1 || last < *least || !is_random(text) {
        return dollar + 1;
    }
    let end = dollar + 1 + length;
    push(Entity::Password, (dollar, end), "password.hash", hits);
    end
}

/// `host:5432:database:user:password`, a line of libpq's file of passwords, from its port on.
pub(super) fn passwords_of_libpq(view: &View<'_>, port: usize, end: usize, hits: &mut Vec<Hit>) {
    let floor = port.saturating_sub(200);
    let before = view.slice(floor, port - 1);
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let host = before.get(line..).unwrap_or(&[]);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_*".contains(byte);
    if host.is_empty() || !host.iter().all(plain) {
        return;
    }
    let rest = view.slice(end + 1, end + 1 + 300);
    let rest = rest.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
    let mut fields = rest.splitn(3, |byte| *byte == b':');
    let (Some(database), Some(user), Some(password)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return;
    };
    let names = [database, user].iter().all(|name| !name.is_empty() && name.iter().all(plain));
    let blanks = password.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b':');
    let start = end + 1 + database.len() + 1 + user.len() + 1;
    if names && !blanks && password.len() >= 6 && is_password(password) {
        push(Entity::Password, (start, start + password.len()), "password.libpq", hits);
    }
}

/// `https://hooks.slack.com/services/T.../B.../...`: an address that lets whoever has it write, from
/// the colon on. Answers where to go on.
pub(super) fn hook(view: &View<'_>, colon: usize, hits: &mut Vec<Hit>) -> usize {
    /// The least bytes that come after each.
    const HOOKS: [(&[u8], usize); 9] = [
        (b"hooks.slack.com/services/T", 30),
        (b"hooks.slack.com/workflows/T", 30),
        (b"hooks.slack.com/triggers/", 30),
        (b"discord.com/api/webhooks/", 60),
        (b"discordapp.com/api/webhooks/", 60),
        (b"outlook.office.com/webhook/", 36),
        (b"hooks.zapier.com/hooks/catch/", 10),
        (b"api.telegram.org/bot", 40),
        (b"chat.googleapis.com/v1/spaces/", 60),
    ];
    let from = colon + 3;
    let text = view.slice(from, from + 400);
    let length = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"-._~%/@?&=:".contains(byte))
        .count();
    let mut address = text.get(..length).unwrap_or(&[]);
    while let [rest @ .., b'.' | b'/' | b':'] = address {
        address = rest;
    }
    let known = HOOKS.iter().find(|(host, _)| address.starts_with(host));
    let teams = memchr::memmem::find(address, b".webhook.office.com/webhookb2/");
    let sound = match (known, teams) {
        (Some((host, least)), _) => {
            let secret = address.get(host.len()..).unwrap_or(&[]);
            secret.len() >= *least && is_random(secret)
        }
        (None, Some(_)) => address.len() >= 100,
        (None, None) => false,
    };
    let scheme = view.slice(colon.saturating_sub(5), colon);
    let letters = scheme.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if !sound || letters < 4 {
        return colon + 1;
    }
    let start = colon - letters;
    push(Entity::ApiKey, (start, from + address.len()), "key.hook", hits);
    from + address.len()
}

/// `7284410932:AAHk2m...`: a bot of Telegram, from its number on. Answers its end.
pub(super) fn telegram(
    view: &View<'_>,
    start: usize,
    end: usize,
    hits: &mut Vec<Hit>,
) -> Option<usize> {
    const LENGTH: usize = 35;
    let secret = view.slice(end + 1, end + 1 + LENGTH);
    let body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let close = end + 1 + LENGTH;
    let sound = secret.len() == LENGTH
        && secret.starts_with(b"AA")
        && secret.iter().all(body)
        && is_random(secret)
        && !view.at(close).is_some_and(|byte| body(&byte));
    if !sound || view.before(start).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    hits.push(Hit::new(Entity::ApiKey, start..close, 95, "telegram"));
    Some(close)
}

/// `abc8Q~...`: a secret of an application of Entra, from its first letter on. Answers its end.
pub(super) fn entra(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    let text = view.slice(start, start + 48);
    let [.., b'0'..=b'9', b'Q'] = *text.get(..5)? else { return None };
    let body = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let length = text.get(6..)?.iter().take_while(body).count();
    let end = start + 6 + length;
    if !(31..=34).contains(&length) || !is_random(view.slice(start + 6, end)) {
        return None;
    }
    hits.push(Hit::new(Entity::ApiKey, start..end, 92, "azure"));
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn options_of_commands_hold_passwords() {
        for (text, password) in [
            ("curl -sS -u deploy:n0t-S0-s3cret https://host/x", "n0t-S0-s3cret"),
            ("curl --user \"ci:gLx81kQz\" https://host/x", "gLx81kQz"),
            ("mysql -h db1 -u root -pS3cr3tP4ss shop", "S3cr3tP4ss"),
            ("mysqldump --password=b4ckUp2024 shop", "b4ckUp2024"),
            ("sshpass -p 'hunter-Two-22' ssh root@build01", "hunter-Two-22"),
            ("smbclient //nas/share -U backup%Wint3rNight", "Wint3rNight"),
            ("redis-cli -a k33pItS4fe ping", "k33pItS4fe"),
            ("docker login -u me -p harbour-44 hub.example", "harbour-44"),
        ] {
            found(text, "PASSWORD", password);
        }
        for text in [
            "mysql -u root -p shop",
            "curl -u user:$PASSWORD https://host/x",
            "curl -u $USER:${PASS} https://host/x",
            "mkdir -p build/out",
            "cp -p one two",
            "id -u user:group",
        ] {
            nothing(text);
        }
    }

    #[test]
    fn heads_of_requests_and_calls_hold_them() {
        found(
            "Authorization: Bearer 7c1fK29sPq0vXz83LmWb55RtYh",
            "API_KEY",
            "7c1fK29sPq0vXz83LmWb55RtYh",
        );
        found(
            "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l",
            "PASSWORD",
            "YWxhZGRpbjpvcGVuc2VzYW1l",
        );
        found("get(url, auth=(\"svc\", \"mY5tr0ngPw\"))", "PASSWORD", "mY5tr0ngPw");
        found("s.auth = ('etl', 'Qh7!ppLm')", "PASSWORD", "Qh7!ppLm");
        found("HTTPBasicAuth('etl', 'plum kern')", "PASSWORD", "plum kern");
        found("Credentials::new(\"svc\", \"walrus_pickle-37\")", "PASSWORD", "walrus_pickle-37");
        for text in [
            "Authorization: Bearer <token>",
            "Authorization: Bearer $TOKEN",
            "Basic understanding of networks",
            "Basic SFNT/TrueType tables",
            "the bearer of this letter",
            "auth=(user, password)",
            "login(\"user\", \"password\")",
        ] {
            nothing(text);
        }
    }

    #[test]
    fn files_of_passwords_hold_them() {
        let hash = |scheme: &str, salt: &str, length: usize| {
            format!(
                "${scheme}${salt}${}",
                "Nq0x9sJk2L8vRt5yUo3pAaBbCcDdEe".repeat(3).split_at(length).0
            )
        };
        for stored in [
            hash("6", "saltsalt", 86),
            hash("apr1", "x7Lk2mQ9", 22),
            hash("2b", "12", 53),
            hash("argon2id", "v=19$m=65536,t=3,p=4$c29tZXNhbHQ", 43),
            hash("y", "j9T$F5Jx5fExrKuPp53xLKQ", 43),
        ] {
            found(&format!("root:{stored}:19400:0:99999:7:::\n"), "PASSWORD", &stored);
        }
        found("db.local:5432:orders:app:Vn3kk2pQ\n", "PASSWORD", "Vn3kk2pQ");
        nothing("costs $6 and $5 or $1$2");
        nothing("main.rs:1024:warning:unused:variable here\n");
    }

    #[test]
    fn hooks_and_bots_are_keys() {
        let body = "aZ3kP0qLm8vRt2YxWn5bCd7EaZ3kP0qLm8vRt2YxWn5bCd7EaZ3kP0qLm8vRt2Yx";
        let slack = format!("https://hooks.slack.com/services/T02KD81LQ/B05PX7R2M/{}", &body[..24]);
        found(&format!("hook: {slack}."), "API_KEY", &slack);
        let discord = format!("https://discord.com/api/webhooks/1182044718820933741/{body}");
        found(&format!("HOOK={discord}\n"), "API_KEY", &discord);
        let bot = format!("7284410932:AA{}", &body[..33]);
        found(&format!("token {bot}, "), "API_KEY", &bot);
        let azure = format!("abc8Q~{}", &body[..34]);
        found(&format!("secret {azure}"), "API_KEY", &azure);
        nothing("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX");
        nothing("see https://discord.com/api/webhooks/ for how");
    }
}
