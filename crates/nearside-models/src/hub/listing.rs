//! What a repository has at a revision, as the hub tells it.
//!
//! `GET /api/models/ORG/NAME/revision/REV?blobs=true` answers
//! `{"sha": COMMIT, "siblings": [{"rfilename", "size", "blobId", "lfs": {"sha256", "size"}}], "gated": ...}`. A file's
//! content is named by `lfs.sha256` where it is a large one, else by `blobId`, git's name; both are also its entity
//! tag.

use std::io::Read as _;

use nearside_fetch::{FetchError, FileDigest};
use nearside_units::Bytes;
use serde::Deserialize;

use super::endpoint::Endpoint;
use super::error::HubError;
use super::names::{Commit, RepoPath, Repository, Revision};

/// Bytes of a list at most: the largest repositories have some ten thousand files.
const MOST_BYTES: u64 = 64 << 20;
/// Files of a repository at most.
const MOST_FILES: usize = 200_000;

/// What a repository has at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The commit that the revision is.
    pub commit: Commit,
    /// Its files, by their paths.
    pub files: Vec<RemoteFile>,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path.
    pub path: RepoPath,
    /// Its size, where the hub tells it.
    pub bytes: Option<Bytes>,
    /// What its content is named by, where the hub tells it.
    pub digest: Option<FileDigest>,
}

/// The answer.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Option<Vec<Sibling>>,
}

/// A file in the answer.
#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

/// A file that is kept beside the repository.
#[derive(Deserialize)]
struct LargeFile {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Reads the hub's answer.
    ///
    /// # Errors
    ///
    /// When it is none, or names a commit, a digest or a file that cannot be.
    pub fn parse(url: &str, json: &[u8]) -> Result<Self, HubError> {
        let wrong = |why: String| HubError::Answer { url: url.to_owned(), why };
        let answer: Answer =
            serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
        let commit = answer.sha.parse().map_err(|error| HubError::name(url, &error))?;
        let siblings = answer.siblings.unwrap_or_default();
        if siblings.len() > MOST_FILES {
            return Err(wrong(format!("{} files", siblings.len())));
        }
        let mut files = Vec::with_capacity(siblings.len());
        for sibling in siblings {
            files.push(sibling.file(url)?);
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        // The second of two files of one path would take the place of the first.
        if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(wrong(format!("two files are {}", pair[0].path)));
        }
        Ok(Self { commit, files })
    }
}

impl Sibling {
    fn file(self, url: &str) -> Result<RemoteFile, HubError> {
        let path: RepoPath = self.rfilename.parse().map_err(|error| HubError::name(url, &error))?;
        let (large, size) = match self.lfs {
            Some(large) => (large.sha256, large.size.or(self.size)),
            None => (None, self.size),
        };
        let digest = large.or(self.blob_id).map(|text| text.parse::<FileDigest>()).transpose();
        let digest = digest.map_err(|error| HubError::Answer {
            url: url.to_owned(),
            why: format!("{path} is named by {error}"),
        })?;
        Ok(RemoteFile { path, bytes: size.map(Bytes::new), digest })
    }
}

/// Asks the hub.
pub(super) fn fetch(
    endpoint: &Endpoint,
    repository: &Repository,
    revision: &Revision,
) -> Result<Listing, HubError> {
    let url = endpoint.listing(repository, revision);
    let refused = |error| refusal(error, endpoint, repository, revision);
    let body = nearside_fetch::get_with(&url, endpoint.token(), MOST_BYTES).map_err(refused)?;
    let mut json = Vec::new();
    let mut body = body.take(MOST_BYTES);
    body.read_to_end(&mut json).map_err(|error| {
        HubError::Fetch(FetchError::Unreachable { url: url.clone(), reason: error.to_string() })
    })?;
    Listing::parse(&url, &json)
}

/// What a hub means when it says no.
///
/// It answers 401 for what is not there as for what is private, so that nobody learns which it is.
/// Source: `hf_raise_for_status` of `huggingface_hub`.
pub(super) fn refusal(
    error: FetchError,
    endpoint: &Endpoint,
    repository: &Repository,
    revision: &Revision,
) -> HubError {
    let FetchError::Status { status, word, .. } = &error else { return error.into() };
    let (repository, with_token) = (repository.clone(), endpoint.has_token());
    match (status, word.as_deref()) {
        (_, Some("GatedRepo")) => {
            HubError::Gated { page: endpoint.page(&repository), repository, with_token }
        }
        (_, Some("RevisionNotFound")) => {
            HubError::NoRevision { repository, revision: revision.clone() }
        }
        (_, Some("RepoNotFound")) | (404, None) => {
            HubError::NoRepository { repository, with_token }
        }
        (401, _) if with_token => HubError::Denied { repository },
        (401, _) => HubError::NoRepository { repository, with_token },
        (403, _) => HubError::Gated { page: endpoint.page(&repository), repository, with_token },
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHA: &str = "0123456789012345678901234567890123456789";

    fn parse(siblings: &str) -> Result<Listing, HubError> {
        let json =
            format!("{{\"sha\": \"{SHA}\", \"private\": false, \"siblings\": [{siblings}]}}");
        Listing::parse("hub", json.as_bytes())
    }

    #[test]
    fn files_have_sizes_and_digests() {
        let sha256 = "a".repeat(64);
        let listing = parse(&format!(
            "{{\"rfilename\": \"model.safetensors\", \"size\": 5, \"blobId\": \"{SHA}\", \
             \"lfs\": {{\"sha256\": \"{sha256}\", \"size\": 5, \"pointerSize\": 3}}}}, \
             {{\"rfilename\": \"config.json\", \"size\": 2, \"blobId\": \"{SHA}\"}}, \
             {{\"rfilename\": \"a/b\"}}"
        ))
        .unwrap();
        assert_eq!(listing.commit.as_str(), SHA);
        let told: Vec<_> = listing
            .files
            .iter()
            .map(|file| {
                (
                    file.path.as_str(),
                    file.bytes.map(Bytes::get),
                    file.digest.map(|it| it.to_string()),
                )
            })
            .collect();
        let git = Some(SHA.to_owned());
        assert_eq!(
            told,
            [
                ("a/b", None, None),
                ("config.json", Some(2), git),
                ("model.safetensors", Some(5), Some(sha256))
            ]
        );
    }

    #[test]
    fn what_would_lead_out_of_the_cache_is_refused() {
        for sibling in [
            "{\"rfilename\": \"../../.ssh/authorized_keys\"}",
            "{\"rfilename\": \"/etc/passwd\"}",
            "{\"rfilename\": \"a\\\\..\\\\b\"}",
            "{\"rfilename\": \"a\", \"blobId\": \"../../../../../../../../../../../../etc/pwd\"}",
            "{\"rfilename\": \"a\", \"lfs\": {\"sha256\": \"short\"}}",
            "{\"rfilename\": \"a\"}, {\"rfilename\": \"a\"}",
        ] {
            assert!(matches!(parse(sibling), Err(HubError::Answer { .. })), "{sibling}");
        }
        for json in [
            "",
            "[]",
            "{}",
            "{\"sha\": \"main\"}",
            "{\"sha\": \"../../../../../../../../../../../../../etc\"}",
        ] {
            assert!(Listing::parse("hub", json.as_bytes()).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics_or_leads_out(name in "\\PC{0,40}", blob in "[0-9a-f./]{0,66}", size in any::<u64>()) {
            let json = serde_json::json!({
                "sha": SHA,
                "siblings": [{"rfilename": name, "size": size, "blobId": blob}]
            });
            if let Ok(listing) = Listing::parse("hub", json.to_string().as_bytes()) {
                let folder = std::path::Path::new("/cache");
                for file in listing.files {
                    let below = file.path.below(folder);
                    prop_assert!(below.starts_with(folder));
                    let ups = below.components().any(|it| it == std::path::Component::ParentDir);
                    prop_assert!(!ups, "{below:?}");
                    let digest = file.digest.map_or_else(String::new, |it| it.to_string());
                    prop_assert!(digest.bytes().all(|it| it.is_ascii_hexdigit()));
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Listing::parse("hub", &bytes);
        }
    }
}
