//! How fast a file is written and read from end to end, past the page cache.
//!
//! On Linux the file is opened with `O_DIRECT`, so that neither end goes through memory; a file
//! system that refuses it is written with `fdatasync` after every part, and its pages are dropped
//! (`posix_fadvise(POSIX_FADV_DONTNEED)`) before they are read. Which of the two it was is said. The
//! file loses its name as soon as it is open, so that nothing is left behind whatever happens.
//! Source: `open(2)`, `posix_fadvise(2)`, `tmpfs(5)`.

use super::Found;

#[cfg(target_os = "linux")]
pub(crate) use linux::measure;

/// Only Linux has a way past the page cache that we know.
#[cfg(not(target_os = "linux"))]
pub(crate) fn measure(_folder: &std::path::Path) -> Found {
    Err("only on Linux is a disk measured past the page cache so far".to_owned())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use nearside_units::{Bytes, BytesPerSecond};
    use rustix::fs::{Advice, OFlags};

    use super::Found;
    use crate::ceiling::sample::{Bounds, since, spread};
    use crate::ceiling::{Ceiling, CeilingName, Reached};
    use crate::disk::disk;

    /// Bytes that are written and read at once.
    const PART: usize = 16 << 20;
    /// Parts of the file, and how long each direction may take.
    const PARTS: Bounds = Bounds { least: 4, most: 32, time: Duration::from_secs(5) };
    /// Part of the free space that the file may take.
    const PART_OF_FREE: u64 = 10;
    /// Buffers of `O_DIRECT` begin and end on blocks; no device has larger ones.
    const ALIGNMENT: usize = 4096;
    /// What the kernel calls a file system in memory (`linux/magic.h`: tmpfs, ramfs).
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

    /// Writes a file and reads it back.
    pub(crate) fn measure(folder: &Path) -> Found {
        let told = |error: io::Error| format!("{}: {error}", folder.display());
        if is_in_memory(folder).map_err(told)? {
            let folder = folder.display();
            return Err(format!("{folder} is in memory; name a folder on a disk with --folder"));
        }
        let parts = parts_that_fit(folder)?;
        let (mut file, way) = open(folder).map_err(told)?;
        let mut buffer = Buffer::new();
        let written = write(&mut file, &mut buffer, parts).map_err(told)?;
        if way == Way::Cached {
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)
                .map_err(|error| told(error.into()))?;
        }
        let count = written.len();
        let read = read(&mut file, &mut buffer, count).map_err(told)?;
        let how = format!(
            "{count} x {} in {}, {}",
            Bytes::new(PART as u64),
            folder.display(),
            way.description()
        );
        let rows = [(CeilingName::DiskWrite, written), (CeilingName::DiskRead, read)];
        rows.into_iter().map(|(name, seconds)| ceiling(name, seconds, &how)).collect()
    }

    fn is_in_memory(folder: &Path) -> io::Result<bool> {
        let kind = rustix::fs::statfs(folder)?.f_type;
        Ok(u64::try_from(kind).is_ok_and(|kind| IN_MEMORY.contains(&kind)))
    }

    /// As many parts as a tenth of the free space holds.
    fn parts_that_fit(folder: &Path) -> Result<usize, String> {
        let free = disk(folder).free;
        let why = free.why().map(str::to_owned);
        let Some(free) = free.value() else { return Err(why.unwrap_or_default()) };
        let parts = usize::try_from(free.get() / PART_OF_FREE).unwrap_or(usize::MAX) / PART;
        match parts.min(PARTS.most) {
            parts if parts >= PARTS.least => Ok(parts),
            _ => Err(format!("{}: only {free} free, too little to measure", folder.display())),
        }
    }

    /// How the page cache was kept out.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Way {
        /// Never in.
        Direct,
        /// Written through, then dropped.
        Cached,
    }

    impl Way {
        const fn description(self) -> &'static str {
            match self {
                Self::Direct => "past the page cache (O_DIRECT)",
                Self::Cached => "the page cache was written through and dropped (fadvise)",
            }
        }
    }

    /// A file without a name.
    fn open(folder: &Path) -> io::Result<(File, Way)> {
        let path = folder.join(format!(".nearside-disk-{}", std::process::id()));
        let with = |flags: OFlags| {
            let flags = i32::try_from(flags.bits()).unwrap_or(0);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).custom_flags(flags);
            unnamed(&options, &path)
        };
        match with(OFlags::DIRECT) {
            Ok(file) => Ok((file, Way::Direct)),
            // The file system has no such way: some leave the new file behind.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let _nothing_there = std::fs::remove_file(&path);
                with(OFlags::empty()).map(|file| (file, Way::Cached))
            }
            Err(error) => Err(error),
        }
    }

    fn unnamed(options: &OpenOptions, path: &PathBuf) -> io::Result<File> {
        let file = options.open(path)?;
        std::fs::remove_file(path)?;
        Ok(file)
    }

    /// Memory whose used part begins on a block.
    struct Buffer {
        bytes: Vec<u8>,
        start: usize,
    }

    impl Buffer {
        /// Bytes that no disk can compress or take for zeros: xorshift64 (Marsaglia, Journal of
        /// Statistical Software 8(14), 2003).
        fn new() -> Self {
            let mut state = 0x9e37_79b9_7f4a_7c15_u64;
            let mut bytes = vec![0; PART + ALIGNMENT];
            for word in bytes.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
            let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
            Self { bytes, start }
        }

        fn part(&mut self) -> &mut [u8] {
            &mut self.bytes[self.start..self.start + PART]
        }
    }

    /// Seconds of each part, written through to the device.
    fn write(file: &mut File, buffer: &mut Buffer, most: usize) -> io::Result<Vec<f64>> {
        let mut seconds = Vec::with_capacity(most);
        let begin = Instant::now();
        while seconds.len() < most && PARTS.goes_on(seconds.len(), begin) {
            let start = Instant::now();
            file.write_all(buffer.part())?;
            file.sync_data()?;
            seconds.push(since(start));
        }
        Ok(seconds)
    }

    /// Seconds of each part, read from the beginning.
    fn read(file: &mut File, buffer: &mut Buffer, most: usize) -> io::Result<Vec<f64>> {
        file.seek(SeekFrom::Start(0))?;
        let mut seconds = Vec::with_capacity(most);
        let begin = Instant::now();
        while seconds.len() < most && PARTS.goes_on(seconds.len(), begin) {
            let start = Instant::now();
            file.read_exact(buffer.part())?;
            seconds.push(since(start));
        }
        Ok(seconds)
    }

    fn ceiling(name: CeilingName, seconds: Vec<f64>, how: &str) -> Result<Ceiling, String> {
        let runs = seconds.len();
        let rates = spread(seconds.into_iter().map(|time| PART as f64 / time).collect());
        let reached = rates
            .ok_or_else(|| "no part came to an end".to_owned())?
            .try_map(BytesPerSecond::from_bytes_per_second)
            .map_err(|error| error.to_string())?;
        Ok(Ceiling { name, reached: Reached::Bandwidth(reached), runs, how: how.to_owned() })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn buffers_begin_on_blocks() {
            let mut buffer = Buffer::new();
            let part = buffer.part();
            assert_eq!((part.as_ptr().align_offset(ALIGNMENT), part.len()), (0, PART));
            assert!(part.windows(8).take(64).any(|window| *window != [0; 8]));
        }

        #[test]
        fn a_disk_is_measured_and_nothing_is_left() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
            let folder = if folder.is_dir() { folder } else { std::env::temp_dir() };
            match measure(&folder) {
                Ok(found) => {
                    assert_eq!(found.len(), 2);
                    assert!(found.iter().all(|ceiling| ceiling.runs >= PARTS.least));
                }
                Err(why) => assert!(why.contains("in memory") || why.contains("free"), "{why}"),
            }
            let own = format!(".nearside-disk-{}", std::process::id());
            assert!(!folder.join(own).exists());
        }

        #[test]
        fn a_folder_that_is_not_there_is_told() {
            let why = measure(Path::new("/nonexistent")).unwrap_err();
            assert!(why.starts_with("/nonexistent: "), "{why}");
        }
    }
}
