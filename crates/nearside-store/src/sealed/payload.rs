//! What a sealed file holds, in chunks that are numbered and marked, so that none is missing or moved.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use zeroize::Zeroizing;

use super::{FileKey, Identity, Recipient, SealError, derived, header, random};

/// Bytes of a chunk before it is sealed.
const CHUNK: usize = 64 << 10;
/// Bytes that sealing adds.
const TAG: usize = 16;

/// Writes a sealed file. It is none before [`Sealer::finish`].
pub struct Sealer<W> {
    to: W,
    chunks: Chunks,
    open: Zeroizing<Vec<u8>>,
}

/// Reads what a sealed file holds.
pub struct Opened<R> {
    from: R,
    chunks: Chunks,
    /// Sealed bytes that were read ahead.
    ahead: Vec<u8>,
    open: Zeroizing<Vec<u8>>,
    given: usize,
    ended: bool,
}

/// Seals and opens one chunk after the other.
struct Chunks {
    cipher: ChaCha20Poly1305,
    number: u64,
}

impl Chunks {
    fn of(key: &FileKey, nonce: &[u8; 16]) -> Self {
        let key = derived(&**key, nonce, b"payload");
        Self { cipher: ChaCha20Poly1305::new(&(*key).into()), number: 0 }
    }

    /// The nonce of the next chunk: its number in eleven bytes, and whether it is the last.
    fn nonce(&mut self, last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        let (number, mark) = nonce.split_at_mut(11);
        let (_, low) = number.split_at_mut(3);
        low.copy_from_slice(&self.number.to_be_bytes());
        mark.fill(u8::from(last));
        self.number += 1;
        nonce
    }

    fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> io::Result<()> {
        let nonce = self.nonce(last).into();
        let sealed = self.cipher.encrypt_in_place(&nonce, b"", chunk);
        sealed.map_err(|_too_long| io::Error::from(io::ErrorKind::InvalidInput))
    }

    fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> io::Result<()> {
        let nonce = self.nonce(last).into();
        let opened = self.cipher.decrypt_in_place(&nonce, b"", chunk);
        opened.map_err(|_other| damaged("what is sealed in it is damaged"))
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<W: Write> Sealer<W> {
    /// Begins a file for some recipients.
    ///
    /// # Errors
    /// When the beginning cannot be written, or the system has no random numbers.
    pub fn new(recipients: &[Recipient], mut to: W) -> Result<Self, SealError> {
        let key: FileKey = random()?;
        let nonce: Zeroizing<[u8; 16]> = random()?;
        to.write_all(&header::write(&key, recipients)?)?;
        to.write_all(&*nonce)?;
        let open = Zeroizing::new(Vec::with_capacity(CHUNK + TAG));
        Ok(Self { to, chunks: Chunks::of(&key, &nonce), open })
    }

    /// Writes what is left, and hands back what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.chunk(true)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn chunk(&mut self, last: bool) -> io::Result<()> {
        self.chunks.seal(&mut self.open, last)?;
        self.to.write_all(&self.open)?;
        self.open.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits: it may be the last.
        if self.open.len() == CHUNK && !bytes.is_empty() {
            self.chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.open.len());
        self.open.extend_from_slice(bytes.get(..taken).unwrap_or(&[]));
        Ok(taken)
    }

    /// Whole chunks alone reach the file before the end.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<R: Read> Opened<R> {
    /// Opens a file from its first byte.
    ///
    /// # Errors
    /// When it is not sealed, is sealed for others, or cannot be read.
    pub fn new(identity: &Identity, mut from: R) -> Result<Self, SealError> {
        let key = header::read(&mut from, identity)?;
        let mut nonce = [0; 16];
        from.read_exact(&mut nonce).map_err(|_short| SealError::Header("it ends early"))?;
        let open = Zeroizing::new(Vec::with_capacity(CHUNK + TAG));
        let chunks = Chunks::of(&key, &nonce);
        Ok(Self { from, chunks, ahead: Vec::new(), open, given: 0, ended: false })
    }

    /// Opens the next chunk. Only the last one may be short, or empty where there is no other.
    fn next(&mut self) -> io::Result<()> {
        self.open.clear();
        self.given = 0;
        self.open.append(&mut self.ahead);
        let wanted = (CHUNK + TAG + 1).saturating_sub(self.open.len()) as u64;
        Read::take(&mut self.from, wanted).read_to_end(&mut self.open)?;
        self.ended = self.open.len() <= CHUNK + TAG;
        if !self.ended {
            self.ahead = self.open.split_off(CHUNK + TAG);
        }
        self.chunks.open(&mut self.open, self.ended)?;
        match self.ended && self.open.is_empty() && self.chunks.number > 1 {
            true => Err(damaged("what is sealed in it ends with an empty part")),
            false => Ok(()),
        }
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.open.len() && !self.ended {
            self.next()?;
        }
        let mut left = self.open.get(self.given..).unwrap_or(&[]);
        let count = left.read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// Hands a sealed file to other recipients: its key is wrapped anew, what it holds is copied as it is.
///
/// # Errors
/// When it is not sealed, is sealed for others, or cannot be read or written.
pub fn rewrap(
    identity: &Identity,
    recipients: &[Recipient],
    from: &mut impl Read,
    to: &mut impl Write,
) -> Result<(), SealError> {
    let key = header::read(from, identity)?;
    to.write_all(&header::write(&key, recipients)?)?;
    io::copy(from, to)?;
    Ok(())
}
