//! What a sealed file begins with: the key of the file, wrapped for each recipient.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{FileKey, Identity, Recipient, SealError, derived, random};

const VERSION: &str = "age-encryption.org/v1";
/// The kind of the stanzas that are read and written.
const X25519: &str = "X25519";
/// Part of what their keys are derived with.
const PURPOSE: &[u8] = b"age-encryption.org/v1/X25519";
/// Signs in a line of a stanza's body; a shorter line ends it.
const LINE: usize = 64;
/// The most bytes of a header that are read.
const MOST: usize = 64 << 10;

/// Lines that hold the key of a file, for somebody.
#[derive(Debug)]
struct Stanza {
    arguments: Vec<String>,
    body: Vec<u8>,
}

/// The header of a file with this key for these recipients.
pub(super) fn write(key: &FileKey, recipients: &[Recipient]) -> Result<Vec<u8>, SealError> {
    let mut text = format!("{VERSION}\n");
    for recipient in recipients {
        let once = Identity::of(&*random()?);
        let share = once.recipient().0;
        let wrapping = wrapping_key(&once.exchange(&recipient.0), &share, recipient);
        let body = cipher(&wrapping).encrypt(&Default::default(), key.as_slice());
        let body = body.map_err(|_too_long| SealError::Header("a key that is too long"))?;
        text.push_str(&format!("-> {X25519} {}\n{}\n", BASE64.encode(share), BASE64.encode(body)));
    }
    text.push_str("---");
    let mac = mac(key, text.as_bytes()).finalize().into_bytes();
    text.push_str(&format!(" {}\n", BASE64.encode(mac)));
    Ok(text.into_bytes())
}

/// Reads a header from where a file begins, and finds the key of the file in it.
pub(super) fn read(from: &mut impl Read, identity: &Identity) -> Result<FileKey, SealError> {
    let mut lines = Lines { from, read: Vec::new() };
    if lines.next()? != VERSION {
        return Err(SealError::Header("another format"));
    }
    let mut stanzas = Vec::new();
    let stated = loop {
        let line = lines.next()?;
        if let Some(mac) = line.strip_prefix("--- ") {
            break decoded(mac)?;
        }
        let arguments = line.strip_prefix("-> ").ok_or(SealError::Header("no stanza"))?;
        let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
        stanzas.push(Stanza { arguments, body: lines.body()? });
    };
    let own = stanzas.iter().find_map(|stanza| stanza.key(identity).transpose());
    let key = own.ok_or(SealError::OtherKey)??;
    // What the MAC is of ends with the three dashes.
    let end = lines.read.iter().rposition(|byte| *byte == b'-').map_or(0, |place| place + 1);
    let authentic = mac(&key, lines.read.get(..end).unwrap_or(&[])).verify_slice(&stated);
    authentic.map_err(|_other| SealError::Header("another MAC"))?;
    Ok(key)
}

impl Stanza {
    /// The key of the file, where it is for this identity.
    fn key(&self, identity: &Identity) -> Result<Option<FileKey>, SealError> {
        let [kind, share] = self.arguments.as_slice() else { return Ok(None) };
        if kind != X25519 {
            return Ok(None);
        }
        let share: [u8; 32] =
            decoded(share)?.try_into().map_err(|_other| SealError::Header("a share's length"))?;
        if self.body.len() != 32 {
            return Err(SealError::Header("the length of a wrapped key"));
        }
        let shared = Zeroizing::new(identity.exchange(&share));
        if *shared == [0; 32] {
            return Err(SealError::Header("a share of low order"));
        }
        let wrapping = wrapping_key(&shared, &share, &identity.recipient());
        let opened = cipher(&wrapping).decrypt(&Default::default(), self.body.as_slice());
        let Ok(opened) = opened.map(Zeroizing::new) else { return Ok(None) };
        let mut key = FileKey::default();
        key.copy_from_slice(opened.get(..16).ok_or(SealError::Header("a key's length"))?);
        Ok(Some(key))
    }
}

fn wrapping_key(shared: &[u8; 32], share: &[u8; 32], to: &Recipient) -> Zeroizing<[u8; 32]> {
    derived(shared, &[*share, to.0].concat(), PURPOSE)
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&(*key).into())
}

fn mac(key: &FileKey, header: &[u8]) -> Hmac<Sha256> {
    // HMAC takes a key that is shorter than a block as if zeros followed it (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    let (start, _) = block.split_at_mut(32);
    start.copy_from_slice(&*derived(&**key, &[], b"header"));
    <Hmac<Sha256> as hmac::KeyInit>::new(&(*block).into()).chain_update(header)
}

/// The bytes of a text in base 64 without padding; one way of writing them alone is right.
fn decoded(text: &str) -> Result<Vec<u8>, SealError> {
    BASE64.decode(text).map_err(|_other| SealError::Header("no base 64"))
}

/// Reads lines byte by byte, and nothing that comes after them.
struct Lines<'f, R> {
    from: &'f mut R,
    read: Vec<u8>,
}

impl<R: Read> Lines<'_, R> {
    fn next(&mut self) -> Result<String, SealError> {
        let start = self.read.len();
        loop {
            let mut byte = [0];
            self.from.read_exact(&mut byte).map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => SealError::Header("it ends early"),
                _ => SealError::Io(error),
            })?;
            self.read.push(byte[0]);
            if byte == *b"\n" {
                break;
            }
            if self.read.len() > MOST {
                return Err(SealError::Header("too long"));
            }
        }
        let line = self.read.get(start..self.read.len() - 1).unwrap_or(&[]);
        let visible = line.iter().all(|byte| (b' '..=b'~').contains(byte));
        let text = visible.then(|| String::from_utf8_lossy(line).into_owned());
        text.ok_or(SealError::Header("no text"))
    }

    fn body(&mut self) -> Result<Vec<u8>, SealError> {
        let mut text = String::new();
        loop {
            let line = self.next()?;
            text.push_str(&line);
            match line.len() {
                LINE => {}
                ..LINE => return decoded(&text),
                _ => return Err(SealError::Header("a long line")),
            }
        }
    }
}
