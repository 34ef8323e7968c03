//! Readers that end in bounded time and never take a failure for an end.

use std::cell::Cell;
use std::io::{self, Read};

use super::error::SourceError;
use super::limits::Limits;

/// What one file was unpacked to so far, over all containers inside one another.
pub(super) struct Meter {
    /// Bytes of the file itself: its size, or what was read of a stream.
    raw: Cell<u64>,
    made: Cell<u64>,
    spent: Cell<bool>,
    unpacked: u64,
    ratio: u64,
    ratio_from: u64,
}

impl Meter {
    pub(super) fn new(raw: u64, limits: &Limits) -> Self {
        let (raw, made, spent) = (Cell::new(raw), Cell::new(0), Cell::new(false));
        let Limits { unpacked, ratio, ratio_from, .. } = *limits;
        Self { raw, made, spent, unpacked, ratio, ratio_from }
    }

    /// Whether a bound was passed: nothing more is unpacked then.
    pub(super) const fn is_spent(&self) -> bool {
        self.spent.get()
    }

    /// Adds what was unpacked, in bytes.
    ///
    /// # Errors
    /// When it is more than the bounds allow.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), SourceError> {
        self.made.set(self.made.get().saturating_add(bytes as u64));
        let made = self.made.get();
        let error = if made > self.unpacked {
            SourceError::too_large("it unpacks to more", self.unpacked)
        } else if made > self.ratio_from && made > self.ratio.saturating_mul(self.raw.get()) {
            let bound = format!("{} times its size", self.ratio);
            SourceError::Bound { what: "it unpacks to more", bound }
        } else {
            return Ok(());
        };
        self.spent.set(true);
        Err(error)
    }
}

/// Counts what is read of the stream that everything comes from.
pub(super) struct Counted<'m, R> {
    inner: R,
    meter: &'m Meter,
}

impl<'m, R> Counted<'m, R> {
    pub(super) const fn new(inner: R, meter: &'m Meter) -> Self {
        Self { inner, meter }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.raw.set(self.meter.raw.get().saturating_add(read as u64));
        Ok(read)
    }
}

/// What a decoder makes, charged to the meter. After an error there is only that error: some
/// decoders say that they are at their end when they are asked again.
pub(super) struct Unpacked<'m, R> {
    inner: Sticky<R>,
    meter: &'m Meter,
}

impl<'m, R: Read> Unpacked<'m, R> {
    pub(super) const fn new(inner: R, meter: &'m Meter) -> Self {
        Self { inner: Sticky::new(inner), meter }
    }
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.charge(read)?;
        Ok(read)
    }
}

/// A reader that fails again once it has failed.
pub(super) struct Sticky<R> {
    inner: R,
    failed: Option<(io::ErrorKind, String)>,
}

impl<R> Sticky<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self { inner, failed: None }
    }

    /// The failure, if there was one, whether or not who read went on.
    pub(super) fn outcome(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |(kind, what)| Err(io::Error::new(*kind, what.clone())))
    }
}

impl<R: Read> Read for Sticky<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.outcome()?;
        let result = self.inner.read(buffer);
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some((error.kind(), error.to_string()));
        }
        result
    }
}

/// So many bytes and no fewer: an earlier end of what they are read from is an error.
pub(super) struct Exactly<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Exactly<R> {
    pub(super) const fn new(inner: R, left: u64) -> Self {
        Self { inner, left }
    }

    /// Reads what is left and lets it go.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(drop)
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            let what = format!("it ends {} bytes too early", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Fills as much of the buffer as there is.
pub(super) fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_part_is_no_end() {
        let mut text = String::new();
        let error = Exactly::new(&b"abc"[..], 5).read_to_string(&mut text).unwrap_err();
        assert_eq!(
            (text.as_str(), error.to_string().as_str()),
            ("abc", "it ends 2 bytes too early")
        );
        assert!(Exactly::new(&b"abc"[..], 2).finish().is_ok());
    }

    #[test]
    fn a_failure_stays_one() {
        struct Once(bool);
        impl Read for Once {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                match std::mem::replace(&mut self.0, true) {
                    true => Ok(0),
                    false => Err(io::Error::other("broken")),
                }
            }
        }
        let mut reader = Sticky::new(Once(false));
        assert!(reader.read(&mut [0]).is_err());
        assert_eq!(reader.read(&mut [0]).unwrap_err().to_string(), "broken");
        assert!(reader.outcome().is_err());
    }

    #[test]
    fn more_than_the_bounds_is_an_error() {
        let limits = Limits { unpacked: 1_000, ratio: 10, ratio_from: 50, ..Limits::default() };
        let meter = Meter::new(6, &limits);
        assert!(meter.charge(50).is_ok());
        assert!(meter.charge(10).is_ok());
        assert_eq!(
            meter.charge(1).unwrap_err().to_string(),
            "it unpacks to more than 10 times its size"
        );
        assert!(meter.is_spent());
        let meter = Meter::new(600, &limits);
        assert!(meter.charge(1_000).is_ok());
        assert_eq!(meter.charge(1).unwrap_err().to_string(), "it unpacks to more than 1000 bytes");
    }
}
