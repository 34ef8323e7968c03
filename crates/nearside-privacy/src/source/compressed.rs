//! Streams that are compressed as a whole: gzip and its kin, Zstandard, bzip2, xz.
//!
//! Each may be several, one after another; bytes behind the last that are none are an error.
//! All decoders are written in Rust, and none keeps more of what it decoded than a bound.

use std::io::{self, BufReader, Read};

use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use super::format::Codec;
use super::limits::Limits;
use super::meter::{Exactly, fill};

/// The decoder for a stream.
pub(super) fn decoder<'r>(
    codec: Codec,
    stream: &'r mut dyn Read,
    limits: &Limits,
) -> Box<dyn Read + 'r> {
    let stream = BufReader::new(stream);
    match codec {
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
        Codec::Zlib => Box::new(flate2::bufread::ZlibDecoder::new(stream)),
        Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(stream)),
        Codec::Zstandard => Box::new(Frames::new(stream, limits.window)),
        Codec::Xz => {
            let kibibytes = u32::try_from(limits.window / 1024).unwrap_or(u32::MAX - 1);
            Box::new(lzma_rust2::XzReader::new_mem_limit(stream, true, kibibytes))
        }
    }
}

/// Frames of Zstandard one after another, those to be skipped left out.
/// Source: RFC 8878, 3.1 "Frames".
struct Frames<R> {
    stream: R,
    decoder: FrameDecoder,
    is_inside: bool,
}

impl<R: Read> Frames<R> {
    fn new(stream: R, window: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window);
        Self { stream, decoder, is_inside: false }
    }

    /// Goes to the next frame; whether there is one.
    fn start(&mut self) -> io::Result<bool> {
        loop {
            let mut first = [0];
            if fill(&mut self.stream, &mut first)? == 0 {
                return Ok(false);
            }
            match self.decoder.reset((&first[..]).chain(&mut self.stream)) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => Exactly::new(&mut self.stream, u64::from(length)).finish()?,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn check_sum(&self) -> io::Result<()> {
        let said = self.decoder.get_checksum_from_data();
        match said.is_none() || said == self.decoder.get_calculated_checksum() {
            true => Ok(()),
            false => Err(io::Error::other("the sum of a frame is wrong")),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_inside {
                if !self.start()? {
                    return Ok(0);
                }
                self.is_inside = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.stream, UptoBlocks(1));
                decoded.map_err(io::Error::other)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.check_sum()?;
            self.is_inside = false;
        }
    }
}
