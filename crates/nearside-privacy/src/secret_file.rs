//! Files of 32 secret bytes: made once whoever comes first, whole or not at all, for their owner alone.
//!
//! A file that others can read is refused. What is read is erased from memory when it is dropped.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nearside_policy::Hash;
use nearside_store::atomic;
use nearside_store::sealed::Identity;
use thiserror::Error;
use zeroize::Zeroizing;

/// More than any key file holds.
const MOST: u64 = 1 << 10;

/// The secret of a file.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot {what} the key {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else can read it.
    #[error("the key {} can be read by others (mode {mode:03o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Who may do what with it.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("the key {} belongs to another user", path.display())]
    OfAnother {
        /// The file.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{} holds no key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers for {}: {source}", path.display())]
    Random {
        /// The file that it would be in.
        path: PathBuf,
        /// What the system said.
        source: getrandom::Error,
    },
}

/// A file with a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretFile<'p> {
    pub(crate) path: &'p Path,
    pub(crate) form: Form,
}

/// How the secret is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// What it is for, then hexadecimal digits.
    Hexadecimal(&'static str),
    /// As an identity of age, which other programs read too.
    Age,
}

impl Form {
    fn text(self, secret: &Secret) -> Zeroizing<String> {
        // Never larger than this, so that no copy of it is left behind when it grows.
        let mut text = Zeroizing::new(String::with_capacity(MOST as usize));
        match self {
            Self::Hexadecimal(head) => {
                text.push_str(head);
                for byte in secret.iter() {
                    // Texts take whatever is written to them.
                    let _ = write!(text, "{byte:02x}");
                }
            }
            Self::Age => {
                let identity = Identity::of(secret);
                let _ = writeln!(text, "# public key: {}", identity.recipient());
                text.push_str(&identity.text());
            }
        }
        text.push('\n');
        text
    }

    fn secret(self, text: &str) -> Option<Secret> {
        match self {
            Self::Hexadecimal(head) => {
                let digits = text.trim_end().strip_prefix(head)?;
                Some(Zeroizing::new(digits.parse::<Hash>().ok()?.0))
            }
            Self::Age => {
                let mut lines = text.lines().filter(|line| !line.starts_with('#'));
                Some(lines.next()?.trim().parse::<Identity>().ok()?.secret())
            }
        }
    }
}

impl SecretFile<'_> {
    /// The secret of the file, which is made where there is none; of two who do so at once, both get
    /// that of the first.
    pub(crate) fn open(self) -> Result<Secret, KeyError> {
        if let Some(secret) = self.read()? {
            return Ok(secret);
        }
        let (secret, new) = self.write_beside()?;
        // Unlike renaming it, linking it never takes the place of a file that another program made meanwhile.
        let linked = fs::hard_link(&new, self.path);
        let _ = fs::remove_file(&new);
        match linked {
            Ok(()) => Ok(secret),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.read()?.ok_or_else(|| KeyError::NoKey { path: self.path.to_path_buf() })
            }
            Err(error) => Err(failed("write", self.path)(error)),
        }
    }

    /// A new secret in place of the one of the file; where it cannot be written, the old one is still there.
    pub(crate) fn renew(self) -> Result<Secret, KeyError> {
        let (secret, new) = self.write_beside()?;
        fs::rename(&new, self.path).map_err(failed("replace", self.path))?;
        Ok(secret)
    }

    /// The secret of the file, if it is there.
    pub(crate) fn read(self) -> Result<Option<Secret>, KeyError> {
        let opened = match File::open(self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed("read", self.path))?,
        };
        let path = || self.path.to_path_buf();
        let metadata = opened.metadata().map_err(failed("read", self.path))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::OpenToOthers { path: path(), mode });
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(KeyError::OfAnother { path: path() });
        }
        let mut text = Zeroizing::new(String::with_capacity(MOST as usize));
        opened.take(MOST).read_to_string(&mut text).map_err(failed("read", self.path))?;
        let secret = self.form.secret(&text);
        secret.map(Some).ok_or_else(|| KeyError::NoKey { path: path() })
    }

    /// A new secret, in a new file beside the one that it is for.
    fn write_beside(self) -> Result<(Secret, PathBuf), KeyError> {
        let mut secret = Zeroizing::new([0; 32]);
        let random = getrandom::fill(&mut *secret);
        random.map_err(|source| KeyError::Random { path: self.path.to_path_buf(), source })?;
        let text = self.form.text(&secret);
        if let Some(folder) = self.path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(failed("make the folder of", self.path))?;
        }
        let new = atomic::beside(self.path);
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(failed("write", &new))?;
        Ok((secret, new))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_path_buf();
    move |source| KeyError::Io { what, path, source }
}
