//! Names of accounts: what a label calls one, and what stands where only names of accounts do: in
//! chats, logs, home folders and before the host of a command.

use super::cue::{self, Cue, Cues};
use super::entity::Entity;
use super::finding::{Hit, Proof};
use super::gazetteer;
use super::labelled::Certainty;
use super::number::is_word;
use super::view::View;

/// Accounts of machines and roles, which lead to nobody.
const ROLES: [&[u8]; 46] = [
    b"root",
    b"admin",
    b"administrator",
    b"user",
    b"users",
    b"username",
    b"guest",
    b"nobody",
    b"system",
    b"svc",
    b"service",
    b"deploy",
    b"git",
    b"postgres",
    b"mysql",
    b"oracle",
    b"www",
    b"www-data",
    b"apache",
    b"nginx",
    b"daemon",
    b"backup",
    b"ubuntu",
    b"debian",
    b"centos",
    b"vagrant",
    b"runner",
    b"jenkins",
    b"circleci",
    b"travis",
    b"docker",
    b"build",
    b"test",
    b"tester",
    b"public",
    b"shared",
    b"default",
    b"anonymous",
    b"ec2-user",
    b"azureuser",
    b"pi",
    b"me",
    b"you",
    b"app",
    b"node",
    b"jovyan",
];

/// Whether a value may be the name of an account: in running text only what no other word looks like.
pub(super) fn is_one(text: &[u8], certainty: Certainty) -> bool {
    const ENDINGS: [&[u8]; 10] =
        [b"py", b"rs", b"js", b"txt", b"json", b"csv", b"md", b"html", b"toml", b"com"];
    let ending = text.rsplit(|byte| *byte == b'.').next().unwrap_or(&[]);
    let file = ending.len() < text.len() && ENDINGS.contains(&ending);
    let digit = text.iter().any(u8::is_ascii_digit);
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let enough = match certainty {
        Certainty::Prose => digit || text.contains(&b'_'),
        Certainty::Stated => digit || (!is_ordinary(text) && letters >= 5),
        Certainty::Assigned => !is_ordinary(text) && !is_type(text),
        Certainty::Whole => true,
    };
    is_sound(text) && letters >= 3 && !file && enough && !is_role(text)
}

fn is_sound(text: &[u8]) -> bool {
    let letter = text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    letter
        && (3..=40).contains(&text.len())
        && text.iter().all(|byte| is_word(*byte) || matches!(byte, b'.' | b'-'))
        && !is_hexadecimal(text)
}

fn is_role(text: &[u8]) -> bool {
    ROLES.iter().any(|role| role.eq_ignore_ascii_case(text))
}

/// Whether all parts of a name are words of the language, and none also a name: `use_user_site`.
fn is_ordinary(text: &[u8]) -> bool {
    /// Words of code that no list of the language has.
    const CODE: [&[u8]; 15] = [
        b"int", b"str", b"impl", b"mut", b"bool", b"char", b"void", b"self", b"null", b"none",
        b"func", b"args", b"config", b"param", b"auth",
    ];
    let ordinary = |part: &[u8]| {
        let names = gazetteer::look_up(part);
        part.len() < 3
            || CODE.iter().any(|word| word.eq_ignore_ascii_case(part))
            || (names.is_ordinary() && !names.is_name())
            || cue::of_key(part).has(Cue::User)
    };
    let parts = || text.split(|byte| matches!(byte, b'.' | b'_' | b'-'));
    let one = parts().count() == 1;
    if one && gazetteer::look_up(text).is_ordinary() {
        return true;
    }
    parts().all(ordinary)
}

/// Whether a name is written as types are: `FileHandle`, `UserModel`.
fn is_type(text: &[u8]) -> bool {
    let humps = text.windows(2).filter(
        |two| matches!(two, [small, big] if small.is_ascii_lowercase() && big.is_ascii_uppercase()),
    );
    let plain = text.iter().all(u8::is_ascii_alphanumeric);
    plain && humps.count() > 0
}

fn is_hexadecimal(text: &[u8]) -> bool {
    text.len() >= 12 && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

fn push((start, end): (usize, usize), score: u8, rule: &'static str, hits: &mut Vec<Hit>) {
    let cues = Cues::of(&[Cue::User]);
    let hit = Hit::new(Entity::Username, start..end, score, rule);
    hits.push(hit.because(Proof::Labelled, cues));
}

fn end_of_name(view: &View<'_>, start: usize) -> usize {
    let inside = |byte: &u8| is_word(*byte) || matches!(byte, b'.' | b'-');
    let mut end =
        start + view.slice(start, start + 48).iter().take_while(|byte| inside(byte)).count();
    while end > start && view.before(end).is_some_and(|byte| matches!(byte, b'.' | b'-')) {
        end -= 1;
    }
    end
}

/// `/home/anna.roth/`, `C:\Users\mkowalska\`: the folder of a person, from the word before it on.
pub(super) fn home(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    let word = view.slice(start, end);
    let opens = match word {
        b"home" => view.before(start) == Some(b'/') && view.at(end) == Some(b'/'),
        b"Users" => view.before(start).is_some_and(|byte| matches!(byte, b'/' | b'\\')),
        _ => false,
    };
    // Below another folder, or in the path of an address, it is a page or a package; a drive of
    // Windows may stand before it.
    let root = start.checked_sub(2).and_then(|at| view.at(at));
    let drive = word == b"Users" && root == Some(b':');
    if !opens || (!drive && root.is_some_and(|byte| is_word(byte) || b".-/:}\\".contains(&byte))) {
        return;
    }
    let slashes = view.slice(end, end + 2).iter().take_while(|byte| matches!(byte, b'/' | b'\\'));
    let from = end + slashes.count();
    let to = end_of_name(view, from);
    let name = view.slice(from, to);
    let goes_on = view.at(to).is_none_or(|byte| b"/\\:\"' \n,;)".contains(&byte));
    if goes_on && is_sound(name) && !is_role(name) && !is_ordinary(name) {
        push((from, to), 75, "username.home", hits);
    }
}

/// `<anna_roth> hello`, after the start of a line or its time: who speaks, from the bracket's end on.
pub(super) fn speaker(view: &View<'_>, close: usize, hits: &mut Vec<Hit>) {
    if view.at(close + 1) != Some(b' ') {
        return;
    }
    let before = view.slice(close.saturating_sub(40), close);
    let Some(open) = before.iter().rposition(|byte| *byte == b'<') else { return };
    let start = close - before.len() + open + 1;
    let name = view.slice(start, close);
    let lead = view.slice((start - 1).saturating_sub(24), start - 1);
    let line = lead.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lead = lead.get(line..).unwrap_or(&[]);
    let digits = lead.iter().filter(|byte| byte.is_ascii_digit()).count();
    let time = lead.iter().all(|byte| byte.is_ascii_digit() || b"[]():.-/ TZ".contains(byte));
    let begins = digits >= 3 && time && lead.contains(&b':');
    if begins && is_sound(name) && name.iter().all(|byte| is_word(*byte) || b".-".contains(byte)) {
        push((start, close), 80, "username.speaker", hits);
    }
}

/// `@anna_roth`, from the name on: somebody is spoken to. Names of code after an `@` are no people.
pub(super) fn mention(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let end = end_of_name(view, start);
    let name = view.slice(start, end);
    let free = start < 2 || view.at(start - 2).is_some_and(|byte| b" \n(,\"".contains(&byte));
    let goes_on = view.at(end).is_some_and(|byte| b"(/@{=:".contains(&byte));
    // `* @max_tx`: a comment of code says what a parameter is.
    let comment = view.slice(start.saturating_sub(3), start - 1) == b"* ";
    let small = name.iter().any(u8::is_ascii_lowercase);
    let listed = name.split(|byte| matches!(byte, b'.' | b'_' | b'-')).any(|part| {
        let names = gazetteer::look_up(part);
        part.len() >= 3 && names.is_name() && !names.is_ordinary()
    });
    let joined =
        name.iter().any(|byte| matches!(byte, b'.' | b'_' | b'-') || byte.is_ascii_digit());
    if free && !goes_on && !comment && small && joined && listed && is_sound(name) {
        push((start, end), 60, "username.mention", hits);
    }
}

/// `scp jdoe42@10.8.0.14:`: who logs in on a host that is a number, from the `@` on.
pub(super) fn on_host(view: &View<'_>, at: usize, hits: &mut Vec<Hit>) {
    let inside = |byte: &&u8| is_word(**byte) || matches!(byte, b'.' | b'-');
    let before = view.slice(at.saturating_sub(40), at);
    let start = at - before.iter().rev().take_while(inside).count();
    let name = view.slice(start, at);
    let host = view.slice(at + 1, at + 24);
    let length = host.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let groups = host.get(..length).unwrap_or(&[]).split(|byte| *byte == b'.');
    let free = view.before(start).is_none_or(|byte| byte.is_ascii_whitespace() || byte == b'"');
    let numbered = groups.filter(|group| !group.is_empty()).count() == 4
        || (host.first() == Some(&b'[') && host.iter().filter(|byte| **byte == b':').count() > 1);
    if free && numbered && is_sound(name) && !is_role(name) {
        push((start, at), 75, "username.host", hits);
    }
}

/// Who came from an address of a network, in lines of logs: `for tkoenig from 84.118.9.207`,
/// `88.41.207.3 - lisa.m [10/Oct/2025`.
pub(super) fn beside_address(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    let before = view.slice(start.saturating_sub(80), start);
    if let Some(words) = before.strip_suffix(b" from ") {
        let inside = |byte: &&u8| is_word(**byte) || matches!(byte, b'.' | b'-');
        let length = words.iter().rev().take_while(inside).count();
        let lead = words.get(..words.len() - length).unwrap_or(&[]);
        let name = words.get(words.len() - length..).unwrap_or(&[]);
        let named = lead.ends_with(b" for ") || lead.ends_with(b"user ");
        if named && is_sound(name) && !is_role(name) {
            let from = start - 6 - length;
            push((from, from + length), 75, "username.log", hits);
        }
    }
    if view.slice(end, end + 3) == b" - " {
        let to = end_of_name(view, end + 3);
        let name = view.slice(end + 3, to);
        if view.slice(to, to + 2) == b" [" && is_sound(name) && !is_role(name) {
            push((end + 3, to), 80, "username.log", hits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn accounts_are_known_where_only_they_stand() {
        for (text, name) in [
            ("/home/anna.roth/projects/run.sh: line 14", "anna.roth"),
            ("C:\\Users\\mkowalska\\AppData\\Local", "mkowalska"),
            ("open /Users/henrikb/Library/x.log", "henrikb"),
            ("[09:14] <jpk77> did anyone restart it?\n", "jpk77"),
            ("thanks @dieter.vogel, merged", "dieter.vogel"),
            ("scp jdoe42@10.8.0.14:/tmp/x .", "jdoe42"),
            ("Accepted publickey for tkoenig from 84.118.9.207 port 1", "tkoenig"),
            ("Failed password for invalid user oleg2 from 45.9.20.118 port", "oleg2"),
            ("88.41.207.3 - lisa.m [10/Oct/2025:13:55:36 +0000]", "lisa.m"),
            ("session opened for user \"liesbethu\" by", "liesbethu"),
            ("Your login is pmcgillivray and", "pmcgillivray"),
            ("Sign in as user gar-iqba with the password", "gar-iqba"),
            ("Usuario jnavarro, contraseña", "jnavarro"),
            ("POST /login?user=quayle.f&next=/ HTTP", "quayle.f"),
        ] {
            found(text, "USERNAME", name);
        }
    }

    #[test]
    fn words_roles_and_names_of_code_are_no_accounts() {
        for text in [
            "handle: FileHandle,",
            "user: UserModel,",
            "user = use_user_site",
            "_handle = steal_handle",
            "PRIO_USER: c_int = 2;",
            "user_id: int = 0",
            "handle base64 and UTF-8",
            "user.mime_type of a file",
            "user: root",
            "<b> bold </b> and Vec<usize> is",
            "@pytest.mark.slow",
            "@Override public void run()",
            "npm i @babel/core@7.2.3",
            "/home/user/data and /home/runner/work/x",
            "import x from src/home/widgets/list",
            "the login is required",
            "-u user:group sets",
            " * @max_tx: read only",
            " * @GNUTLS_MAC_SHA256: algorithm",
            "allows the user to \"call\" functions",
            "so the user is able to stream",
        ] {
            nothing(text);
        }
    }
}
