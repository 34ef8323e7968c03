//! Tensors one after the other, each as long as the header says.

use std::io::{self, Write};

use super::WriteError;

/// Where the data of one tensor goes.
struct Measured<'a, W> {
    out: &'a mut W,
    expected: u64,
    found: u64,
}

impl<W: Write> Write for Measured<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = usize::try_from(self.expected - self.found.min(self.expected));
        let fitting = bytes.len().min(left.unwrap_or(usize::MAX));
        if fitting < bytes.len() && fitting == 0 {
            self.found = self.expected + 1;
            return Err(io::Error::other("more bytes than the tensor has"));
        }
        let written = self.out.write(&bytes[..fitting])?;
        self.found += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes the data of a tensor, which `data` has.
pub(super) fn write_tensor<E: From<WriteError>>(
    out: &mut impl Write,
    name: &str,
    expected: u64,
    data: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut measured = Measured { out, expected, found: 0 };
    let made = data(&mut measured);
    let found = measured.found;
    // That it was too long says more than that a write failed.
    if found > expected || (made.is_ok() && found < expected) {
        return Err(WriteError::Length { tensor: name.to_owned(), expected, found }.into());
    }
    made
}

/// Writes zeros up to a multiple of the alignment; so many bytes are there already. Returns how many are then.
pub(super) fn pad(out: &mut impl Write, written: u64, alignment: u64) -> Result<u64, WriteError> {
    let end = written.next_multiple_of(alignment);
    io::copy(&mut io::Read::take(io::repeat(0), end - written), out)?;
    Ok(end)
}
