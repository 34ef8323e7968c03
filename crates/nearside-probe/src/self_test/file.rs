//! Programs that wait for a disk, and the file that they read.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::Until;

/// The size of the file.
pub(super) const SIZE: u64 = 640 << 20;
/// Bytes of a piece that is read at random.
const PIECE: usize = 64 << 10;

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) path: PathBuf,
}

impl Scratch {
    /// A file on the disk, of which nothing is left in memory.
    pub(super) fn make(folder: &Path) -> io::Result<Self> {
        let scratch = Self { path: folder.join(format!(".nearside-try-{}", std::process::id())) };
        let mut file = File::create(&scratch.path)?;
        let mut part = vec![0_u8; 4 << 20];
        for (at, word) in part.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&(at as u64 ^ 0x9e37_79b9_7f4a_7c15).to_le_bytes());
        }
        for _ in 0..SIZE / part.len() as u64 {
            file.write_all(&part)?;
        }
        file.sync_all()?;
        forget(&file)?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Drops the file's pages from memory.
#[cfg(target_os = "linux")]
fn forget(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn forget(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads the file from one end to the other.
pub(super) fn read_in_order(path: &Path, until: Until) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while until.goes_on() {
        if file.read(&mut buffer)? == 0 {
            forget(&file)?;
            file.seek(SeekFrom::Start(0))?;
        }
    }
    Ok(())
}

/// Reads pieces at random.
pub(super) fn read_at_random(path: &Path, until: Until) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; PIECE];
    let mut places = Places(1);
    while until.goes_on() {
        file.seek(SeekFrom::Start(places.next(PIECE as u64)))?;
        file.read_exact(&mut buffer)?;
        forget(&file)?;
    }
    Ok(())
}

/// Writes small pieces, each down to the disk.
pub(super) fn write_synced(path: &Path, until: Until) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let mut places = Places(1);
    while until.goes_on() {
        file.seek(SeekFrom::Start(places.next(4096)))?;
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    Ok(())
}

/// Touches pages of the mapped file at random.
#[cfg(target_os = "linux")]
pub(super) fn map(path: &Path, until: Until) -> io::Result<()> {
    let (map, _file) = vmap::Map::with_options().open(path).map_err(io::Error::other)?;
    let mut places = Places(1);
    let mut sum = 0_u64;
    while until.goes_on() {
        for _ in 0..16 {
            let place = usize::try_from(places.next(4096)).map_err(io::Error::other)?;
            sum = sum.wrapping_add(u64::from(map[place]));
        }
    }
    std::hint::black_box(sum);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn map(_path: &Path, _until: Until) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Places in the file in an order that no read-ahead guesses: xorshift64.
struct Places(u64);

impl Places {
    /// The next beginning of a piece of that size.
    const fn next(&mut self, piece: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % (SIZE / piece) * piece
    }
}
