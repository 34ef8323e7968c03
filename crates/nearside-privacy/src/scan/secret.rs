//! Keys and tokens: what services write before them says what they are.

use super::cue::Cues;
use super::entity::Entity;
use super::finding::{Hit, Proof};
use super::number::is_word;
use super::view::View;

/// What a token is made of after its prefix.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// Letters and digits.
    Alphanumeric,
    /// Capitals and the digits 2 to 7.
    Base32,
    /// Hexadecimal.
    Hexadecimal,
    /// Letters, digits, `-` and `_`.
    Url,
    /// As in a URL, and points.
    Dotted,
    /// Base 64 with `+`, `/` and `=`.
    Base64,
}

impl Body {
    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Base32 => byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'),
            Self::Hexadecimal => byte.is_ascii_hexdigit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
        }
    }
}

/// A token that a service gives out: prefix, what follows, how much of it.
struct Token(&'static [u8], Body, std::ops::RangeInclusive<usize>, Entity, &'static str);

use Body::{Alphanumeric, Base32, Base64, Dotted, Hexadecimal, Url};
use Entity::{ApiKey, AwsAccessKey, GithubToken, SlackToken};

/// From the documentation of the services; longer prefixes before shorter ones.
const TOKENS: [Token; 127] = [
    Token(b"AKIA", Base32, 16..=16, AwsAccessKey, "aws"),
    Token(b"ASIA", Base32, 16..=16, AwsAccessKey, "aws"),
    Token(b"ABIA", Base32, 16..=16, AwsAccessKey, "aws"),
    Token(b"ACCA", Base32, 16..=16, AwsAccessKey, "aws"),
    Token(b"github_pat_", Url, 60..=100, GithubToken, "github"),
    Token(b"ghp_", Alphanumeric, 36..=251, GithubToken, "github"),
    Token(b"gho_", Alphanumeric, 36..=251, GithubToken, "github"),
    Token(b"ghu_", Alphanumeric, 36..=251, GithubToken, "github"),
    Token(b"ghs_", Alphanumeric, 36..=251, GithubToken, "github"),
    Token(b"ghr_", Alphanumeric, 36..=251, GithubToken, "github"),
    Token(b"xoxb-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxp-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxa-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxr-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxs-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxc-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxd-", Url, 20..=512, SlackToken, "slack"),
    Token(b"xoxe-", Url, 20..=400, SlackToken, "slack"),
    Token(b"xwfp-", Url, 20..=255, SlackToken, "slack"),
    Token(b"xoxe.", Dotted, 20..=400, SlackToken, "slack"),
    Token(b"xapp-", Url, 20..=255, SlackToken, "slack"),
    Token(b"glpat-", Dotted, 20..=300, ApiKey, "gitlab"),
    Token(b"gldt-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"glrt-", Dotted, 20..=64, ApiKey, "gitlab"),
    Token(b"AIza", Url, 35..=35, ApiKey, "google"),
    Token(b"GOCSPX-", Url, 28..=28, ApiKey, "google"),
    Token(b"ya29.", Dotted, 40..=1024, ApiKey, "google"),
    Token(b"sk_live_", Alphanumeric, 16..=247, ApiKey, "stripe"),
    Token(b"rk_live_", Alphanumeric, 16..=247, ApiKey, "stripe"),
    Token(b"sk_test_", Alphanumeric, 16..=247, ApiKey, "stripe"),
    Token(b"whsec_", Base64, 24..=128, ApiKey, "stripe"),
    Token(b"sk-ant-", Url, 32..=255, ApiKey, "anthropic"),
    Token(b"sk-proj-", Url, 32..=255, ApiKey, "openai"),
    Token(b"sk-svcacct-", Url, 32..=255, ApiKey, "openai"),
    Token(b"sk-or-v1-", Hexadecimal, 64..=64, ApiKey, "openrouter"),
    Token(b"sk-", Alphanumeric, 32..=64, ApiKey, "openai"),
    Token(b"hf_", Alphanumeric, 30..=40, ApiKey, "hugging-face"),
    Token(b"r8_", Alphanumeric, 37..=37, ApiKey, "replicate"),
    Token(b"gsk_", Alphanumeric, 48..=60, ApiKey, "groq"),
    Token(b"pypi-AgE", Url, 50..=1024, ApiKey, "pypi"),
    Token(b"npm_", Alphanumeric, 36..=36, ApiKey, "npm"),
    Token(b"dckr_pat_", Url, 20..=64, ApiKey, "docker"),
    Token(b"cio", Alphanumeric, 32..=32, ApiKey, "crates-io"),
    Token(b"SG.", Dotted, 60..=80, ApiKey, "sendgrid"),
    Token(b"dop_v1_", Hexadecimal, 64..=64, ApiKey, "digitalocean"),
    Token(b"doo_v1_", Hexadecimal, 64..=64, ApiKey, "digitalocean"),
    Token(b"shpat_", Hexadecimal, 32..=32, ApiKey, "shopify"),
    Token(b"shpss_", Hexadecimal, 32..=32, ApiKey, "shopify"),
    Token(b"dapi", Hexadecimal, 32..=34, ApiKey, "databricks"),
    Token(b"hvs.", Dotted, 24..=255, ApiKey, "vault"),
    Token(b"hvb.", Dotted, 24..=255, ApiKey, "vault"),
    Token(b"lin_api_", Alphanumeric, 40..=40, ApiKey, "linear"),
    Token(b"ntn_", Alphanumeric, 40..=50, ApiKey, "notion"),
    Token(b"secret_", Alphanumeric, 43..=43, ApiKey, "notion"),
    Token(b"sntrys_", Url, 40..=400, ApiKey, "sentry"),
    Token(b"NRAK-", Alphanumeric, 27..=27, ApiKey, "new-relic"),
    Token(b"PMAK-", Url, 59..=59, ApiKey, "postman"),
    Token(b"key-", Hexadecimal, 32..=32, ApiKey, "mailgun"),
    Token(b"sq0atp-", Url, 22..=22, ApiKey, "square"),
    Token(b"sq0csp-", Url, 43..=43, ApiKey, "square"),
    Token(b"EAAA", Url, 60..=64, ApiKey, "square"),
    Token(b"AGE-SECRET-KEY-1", Alphanumeric, 58..=58, Entity::PrivateKey, "age"),
    Token(b"tskey-", Url, 20..=64, ApiKey, "tailscale"),
    Token(b"wandb_v1_", Url, 40..=120, ApiKey, "wandb"),
    Token(b"SK", Hexadecimal, 32..=32, ApiKey, "twilio"),
    Token(b"ATATT3", Url, 180..=200, ApiKey, "atlassian"),
    Token(b"ABSK", Base64, 100..=140, ApiKey, "aws"),
    Token(b"glptt-", Hexadecimal, 40..=40, ApiKey, "gitlab"),
    Token(b"glcbt-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"glsoat-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"gloas-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"glft-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"glimt-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"glagent-", Url, 20..=64, ApiKey, "gitlab"),
    Token(b"1//0", Url, 40..=120, ApiKey, "google"),
    Token(b"rk_test_", Alphanumeric, 16..=247, ApiKey, "stripe"),
    Token(b"sk-admin-", Url, 32..=255, ApiKey, "openai"),
    Token(b"sk-lf-", Url, 32..=64, ApiKey, "langfuse"),
    Token(b"xai-", Alphanumeric, 70..=90, ApiKey, "xai"),
    Token(b"pplx-", Alphanumeric, 40..=64, ApiKey, "perplexity"),
    Token(b"nvapi-", Url, 60..=80, ApiKey, "nvidia"),
    Token(b"lsv2_pt_", Url, 32..=60, ApiKey, "langsmith"),
    Token(b"lsv2_sk_", Url, 32..=60, ApiKey, "langsmith"),
    Token(b"pcsk_", Url, 60..=80, ApiKey, "pinecone"),
    Token(b"tvly-", Url, 24..=60, ApiKey, "tavily"),
    Token(b"api_org_", Alphanumeric, 30..=40, ApiKey, "hugging-face"),
    Token(b"dckr_oat_", Url, 20..=64, ApiKey, "docker"),
    Token(b"dor_v1_", Hexadecimal, 64..=64, ApiKey, "digitalocean"),
    Token(b"shpca_", Hexadecimal, 32..=32, ApiKey, "shopify"),
    Token(b"shppa_", Hexadecimal, 32..=32, ApiKey, "shopify"),
    Token(b"hvr.", Dotted, 24..=255, ApiKey, "vault"),
    Token(b"glsa_", Url, 32..=64, ApiKey, "grafana"),
    Token(b"glc_", Base64, 32..=400, ApiKey, "grafana"),
    Token(b"pul-", Hexadecimal, 40..=40, ApiKey, "pulumi"),
    Token(b"dp.pt.", Alphanumeric, 43..=43, ApiKey, "doppler"),
    Token(b"dp.st.", Dotted, 40..=80, ApiKey, "doppler"),
    Token(b"fo1_", Url, 43..=43, ApiKey, "fly"),
    Token(b"fm2_", Base64, 100..=1024, ApiKey, "fly"),
    Token(b"rnd_", Alphanumeric, 28..=40, ApiKey, "render"),
    Token(b"pscale_tkn_", Dotted, 32..=64, ApiKey, "planetscale"),
    Token(b"pscale_pw_", Dotted, 32..=64, Entity::Password, "planetscale"),
    Token(b"pnu_", Alphanumeric, 36..=36, ApiKey, "prefect"),
    Token(b"rubygems_", Hexadecimal, 48..=48, ApiKey, "rubygems"),
    Token(b"xkeysib-", Url, 70..=90, ApiKey, "brevo"),
    Token(b"sbp_", Hexadecimal, 40..=40, ApiKey, "supabase"),
    Token(b"sb_secret_", Url, 30..=60, ApiKey, "supabase"),
    Token(b"sk.eyJ", Dotted, 60..=200, ApiKey, "mapbox"),
    Token(b"LTAI", Alphanumeric, 20..=20, ApiKey, "alibaba"),
    Token(b"pat-na1-", Url, 36..=36, ApiKey, "hubspot"),
    Token(b"pat-eu1-", Url, 36..=36, ApiKey, "hubspot"),
    Token(b"AKCp", Alphanumeric, 60..=80, ApiKey, "artifactory"),
    Token(b"ops_eyJ", Base64, 200..=1024, ApiKey, "1password"),
    Token(b"ATCTT3", Url, 180..=200, ApiKey, "atlassian"),
    Token(b"ATBB", Alphanumeric, 32..=32, ApiKey, "atlassian"),
    Token(b"CFPAT-", Url, 43..=43, ApiKey, "contentful"),
    Token(b"dt0c01.", Dotted, 80..=100, ApiKey, "dynatrace"),
    Token(b"EZAK", Alphanumeric, 54..=54, ApiKey, "easypost"),
    Token(b"figd_", Url, 36..=60, ApiKey, "figma"),
    Token(b"HRKU-AA", Url, 58..=58, ApiKey, "heroku"),
    Token(b"sntryu_", Hexadecimal, 64..=64, ApiKey, "sentry"),
    Token(b"sgp_", Alphanumeric, 40..=60, ApiKey, "sourcegraph"),
    Token(b"sha256~", Url, 43..=43, ApiKey, "openshift"),
    Token(b"tfp_", Url, 59..=59, ApiKey, "typeform"),
    Token(b"napi_", Alphanumeric, 60..=70, ApiKey, "neon"),
    Token(b"figo_", Url, 36..=60, ApiKey, "figma"),
    Token(b"NRII-", Url, 32..=32, ApiKey, "new-relic"),
    Token(b"shippo_live_", Hexadecimal, 40..=40, ApiKey, "shippo"),
];

/// Whether some token may begin with these bytes.
pub(super) fn may_open(opening: [u8; 3]) -> bool {
    const OPENINGS: [u64; 64] = openings();
    let place = place_of(opening);
    OPENINGS[place / 64] >> (place % 64) & 1 == 1
}

/// Three bytes as a place among 4,096.
const fn place_of([first, second, third]: [u8; 3]) -> usize {
    let mixed = (first as usize * 0x0101) ^ (second as usize * 0x0025) ^ (third as usize * 0x07);
    mixed & 0x0fff
}

/// A bit for each opening of a token: a filter, not the answer.
const fn openings() -> [u64; 64] {
    let mut table = [0; 64];
    let mut index = 0;
    while index <= TOKENS.len() {
        let opening = if index < TOKENS.len() { TOKENS[index].0 } else { b"eyJ" };
        // A prefix of two bytes has hexadecimal digits after it.
        let (mut third, last) = match opening.len() {
            2 => (b'0' as usize, b'f' as usize),
            _ => (opening[2] as usize, opening[2] as usize),
        };
        while third <= last {
            let place = place_of([opening[0], opening[1], third as u8]);
            table[place / 64] |= 1 << (place % 64);
            third += 1;
        }
        index += 1;
    }
    table
}

/// A token that begins here. Answers its end.
pub(super) fn token(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    if view.slice(start, start + 3) == b"eyJ" {
        return jwt(view, start, hits);
    }
    let [first, second, ..] = *view.slice(start, start + 2) else { return None };
    let text = view.slice(start, start + 32);
    let fits =
        |token: &&Token| token.0[0] == first && token.0[1] == second && text.starts_with(token.0);
    TOKENS.iter().filter(fits).find_map(|Token(prefix, body, lengths, entity, service)| {
        let from = start + prefix.len();
        let rest = view.slice(from, from + lengths.end() + 1);
        let mut length = rest.iter().take_while(|byte| body.has(**byte)).count();
        // A point or dash at the end belongs to the sentence.
        while rest.get(length.wrapping_sub(1)).is_some_and(|byte| matches!(byte, b'.' | b'-')) {
            length -= 1;
        }
        let end = from + length;
        let goes_on = view.at(end).is_some_and(|byte| is_word(byte) && !body.has(byte));
        // Small letters alone are the name of something: `sntrys_...`, in code.
        let body = view.slice(from, end);
        let named =
            body.iter().all(|byte| byte.is_ascii_lowercase() || !byte.is_ascii_alphanumeric());
        if !lengths.contains(&length) || goes_on || named || !is_random(body) {
            return None;
        }
        hits.push(Hit::new(*entity, start..end, 97, service));
        Some(end)
    })
}

/// Three parts of base 64 for URLs with points between; the first two open as JSON does.
fn jwt(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    const MAX: usize = 8192;
    let text = view.slice(start, start + MAX);
    let length = text.iter().take_while(|byte| Body::Dotted.has(**byte)).count();
    let mut parts = text.get(..length)?.splitn(4, |byte| *byte == b'.');
    let (head, body) = (parts.next()?, parts.next()?);
    let signature = parts.next().unwrap_or(&[]);
    if head.len() < 10 || body.len() < 10 || !body.starts_with(b"eyJ") {
        return None;
    }
    let end = start + head.len() + 1 + body.len() + 1 + signature.len();
    let end = end.min(start + length);
    hits.push(Hit::new(Entity::Jwt, start..end, 97, "jwt").because(Proof::Form, Cues::NONE));
    Some(end)
}

/// Whether characters may come from a generator: not few different ones, no placeholder.
pub(super) fn is_random(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in body {
        if let Some(place) = seen.get_mut(usize::from(*byte)) {
            *place = true;
        }
    }
    let different = seen.iter().filter(|seen| **seen).count();
    let wanted = (body.len() / 4).clamp(4, 8);
    let upper: Vec<u8> = body.iter().take(64).map(u8::to_ascii_uppercase).collect();
    let placeholder = [&b"EXAMPLE"[..], b"XXXX", b"YOUR", b"PLACEHOLDER", b"REDACTED"];
    let runs = |word: &&[u8]| upper.windows(word.len()).any(|window| window == *word);
    different >= wanted && !placeholder.iter().any(runs)
}

/// A private key in PEM armour, from its first dash. Answers its end.
pub(super) fn private_key(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    const OPEN: &[u8] = b"-----BEGIN ";
    let text = view.slice(start, start + super::segment::RIGHT);
    if !text.starts_with(OPEN) {
        return None;
    }
    let line = text.get(..text.len().min(80))?;
    let label_end =
        OPEN.len() + line.get(OPEN.len()..)?.windows(5).position(|dashes| dashes == b"-----")?;
    let label = line.get(OPEN.len()..label_end)?;
    if !label.ends_with(b"PRIVATE KEY") && !label.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    let close = memchr::memmem::find(text.get(label_end + 5..)?, b"-----END ");
    let end = match close {
        // An end that is missing, or further off than a segment, leaves the key open to its end.
        None => text.len(),
        Some(close) => {
            let from = label_end + 5 + close + 9;
            let tail = text.get(from..)?;
            let dashes = tail.windows(5).position(|dashes| dashes == b"-----");
            dashes.map_or(text.len(), |dashes| from + dashes + 5)
        }
    };
    let body = text.get(label_end + 5..end)?;
    if body.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() < 32 {
        return None;
    }
    let end = start + end;
    hits.push(
        Hit::new(Entity::PrivateKey, start..end, 99, "private-key")
            .because(Proof::Form, Cues::NONE),
    );
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    // Written in parts, so that nobody takes them for real.
    #[test]
    fn tokens_are_known_by_their_prefix() {
        let body = "A7bQ9xKd2LmN4pRs6TuVw8Yz1CeFgHi3Jk5oPq0Rt8SvWx";
        for (prefix, length, entity) in [
            ("ghp_", 36, "GITHUB_TOKEN"),
            ("hf_", 34, "API_KEY"),
            ("AIza", 35, "API_KEY"),
            ("sk_live_", 24, "API_KEY"),
            ("glpat-", 20, "API_KEY"),
            ("npm_", 36, "API_KEY"),
            ("glft-", 24, "API_KEY"),
            ("rk_test_", 24, "API_KEY"),
            ("sk-proj-", 36, "API_KEY"),
            ("sk-ant-", 36, "API_KEY"),
            ("xoxd-", 30, "SLACK_TOKEN"),
            ("dckr_pat_", 27, "API_KEY"),
            ("glsa_", 34, "API_KEY"),
            ("fo1_", 43, "API_KEY"),
            ("figd_", 40, "API_KEY"),
            ("pat-eu1-", 36, "API_KEY"),
            ("sha256~", 43, "API_KEY"),
            ("dp.pt.", 43, "API_KEY"),
            ("1//0", 43, "API_KEY"),
        ] {
            let token = format!("{prefix}{}", &body[..length]);
            found(&format!("export X={token}\n"), entity, &token);
            found(&format!("(\"{token}\")"), entity, &token);
        }
        let aws = ["AKIA", "62ZPZLDIYJKDPDQL"].concat();
        found(&format!("key {aws}."), "AWS_ACCESS_KEY", &aws);
        let slack = ["xoxb", "-012871886336-209184857966-0nGKmzzoYtzV9OoS9JCG8oHL"].concat();
        found(&format!("{slack}, "), "SLACK_TOKEN", &slack);
    }

    #[test]
    fn placeholders_and_other_words_are_none() {
        for text in [
            "AKIAXXXXXXXXXXXXXXXX",
            "ghp_short",
            "sk-learn",
            "hf_hub_download",
            "<your-token-here>",
        ] {
            nothing(text);
        }
    }

    #[test]
    fn keys_in_armour_are_found_whole() {
        let key = format!(
            "-----BEGIN {0}-----\n{1}\n{1}\n-----END {0}-----",
            "PRIVATE KEY", "gQaARxQBXNqSWq9k6yR6JxKZBlgiHtfoXjUvlTBZn5EO"
        );
        found(&format!("x\n{key}\ny\n"), "PRIVATE_KEY", &key);
        nothing("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    }
}
