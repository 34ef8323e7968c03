//! Where the cache and the token are, by the variables that are set.
//!
//! Source: `huggingface_hub`, `constants.py`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Values of the variables that say where things are; none where one is not set or empty.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// `HF_HUB_CACHE`, or else the older `HUGGINGFACE_HUB_CACHE`.
    pub hub_cache: Option<OsString>,
    /// `HF_HOME`.
    pub hf_home: Option<OsString>,
    /// `HF_TOKEN_PATH`.
    pub token_path: Option<OsString>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
}

impl Locations {
    /// The folder of the cache; none where nothing says where.
    #[must_use]
    pub fn hub(&self) -> Option<PathBuf> {
        let stated = self.hub_cache.as_ref().map(|folder| self.expanded(folder));
        stated.or_else(|| Some(self.hugging_face()?.join("hub")))
    }

    /// The file that holds the token of who logged in.
    #[must_use]
    pub fn token_file(&self) -> Option<PathBuf> {
        let stated = self.token_path.as_ref().map(|file| self.expanded(file));
        stated.or_else(|| Some(self.hugging_face()?.join("token")))
    }

    fn hugging_face(&self) -> Option<PathBuf> {
        if let Some(folder) = &self.hf_home {
            return Some(self.expanded(folder));
        }
        let below_home = || Some(Path::new(self.home.as_ref()?).join(".cache"));
        let caches = self.cache_home.as_ref().map(PathBuf::from).or_else(below_home)?;
        Some(caches.join("huggingface"))
    }

    /// A path with its `~` made the home.
    fn expanded(&self, path: &OsString) -> PathBuf {
        let path = Path::new(path);
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_variable_says_where() {
        let mut set = Locations::default();
        assert_eq!(set.hub(), None);
        let mut check = |change: &dyn Fn(&mut Locations), hub: &str, token: &str| {
            change(&mut set);
            assert_eq!(set.hub().unwrap(), Path::new(hub));
            assert_eq!(set.token_file().unwrap(), Path::new(token));
        };
        let home = "/home/ada/.cache/huggingface";
        check(
            &|it| it.home = Some("/home/ada".into()),
            &format!("{home}/hub"),
            &format!("{home}/token"),
        );
        check(
            &|it| it.cache_home = Some("/c".into()),
            "/c/huggingface/hub",
            "/c/huggingface/token",
        );
        check(&|it| it.hf_home = Some("~/hf".into()), "/home/ada/hf/hub", "/home/ada/hf/token");
        check(&|it| it.hub_cache = Some("/models".into()), "/models", "/home/ada/hf/token");
        check(&|it| it.token_path = Some("/t".into()), "/models", "/t");
    }
}
