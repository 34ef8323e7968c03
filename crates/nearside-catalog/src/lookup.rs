//! Finding rows by the names that people, drivers and clouds use.
//!
//! Case, spaces and punctuation do not count (`NVIDIA GeForce RTX 4090` = `rtx4090`), a wrong name
//! is answered with the nearest ones, and a name that fits several devices with all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::Bytes;

use crate::{Catalog, CatalogError, Device, Model, Offer, OfferKey, Region};

/// How many names an error suggests at most.
const SUGGESTIONS: usize = 3;

/// Words that people leave out of a device's name, as they look without punctuation.
const OPTIONAL_WORDS: [&str; 8] =
    ["nvidia", "geforce", "tesla", "amd", "radeon", "instinct", "intel", "apple"];

/// A name without case and punctuation.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// A plain name without the words that may be left out in front.
fn short(name: &str) -> String {
    let mut rest = plain(name);
    while let Some(tail) = OPTIONAL_WORDS.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = tail.to_owned();
    }
    rest
}

/// Devices by plain name: the name itself, titles, aliases, and all of them without vendor words.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceIndex {
    names: BTreeMap<String, Vec<Arc<str>>>,
}

impl DeviceIndex {
    pub(crate) fn new<'a>(devices: impl Iterator<Item = &'a Device>) -> Self {
        let mut index = Self::default();
        for device in devices {
            for name in [&device.title].into_iter().chain(&device.aliases) {
                index.add(plain(name), &device.name);
                index.add(short(name), &device.name);
            }
            // Its own name beats what others are also called.
            index.names.insert(plain(&device.name), vec![Arc::clone(&device.name)]);
        }
        index
    }

    fn add(&mut self, name: String, device: &Arc<str>) {
        let devices = self.names.entry(name.clone()).or_default();
        let taken = devices.iter().any(|other| plain(other) == name);
        if !taken && !devices.contains(device) {
            devices.push(Arc::clone(device));
        }
    }

    /// The names of every device that is called so.
    pub(crate) fn find(&self, name: &str) -> &[Arc<str>] {
        let found = self.names.get(&plain(name)).or_else(|| self.names.get(&short(name)));
        found.map_or(&[], Vec::as_slice)
    }
}

impl Catalog {
    /// The device of that name or alias.
    ///
    /// ```
    /// use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin()?;
    /// assert_eq!(&*catalog.device("NVIDIA GeForce RTX 4090")?.name, "rtx-4090");
    /// let error = catalog.device("rtx 4900").unwrap_err().to_string();
    /// assert!(error.starts_with("no device is called \"rtx 4900\": did you mean rtx-4090"));
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    ///
    /// # Errors
    /// When no device, or more than one, is called so.
    pub fn device(&self, name: &str) -> Result<&Device, CatalogError> {
        match self.index.find(name) {
            [] => Err(self.no_device(name)),
            [one] => self.devices.rows.get(one).ok_or_else(|| self.no_device(name)),
            several => Err(CatalogError::Ambiguous {
                name: name.to_owned(),
                candidates: several.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    /// The model of that name or alias.
    ///
    /// ```
    /// use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin()?;
    /// assert_eq!(&*catalog.model("meta-llama/Llama-3.1-8B")?.name, "llama-3.1-8b");
    /// assert!(catalog.model("llama-3.1-9b").unwrap_err().to_string().contains("llama-3.1-8b"));
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    ///
    /// # Errors
    /// When no model is called so; the error names the nearest ones.
    pub fn model(&self, name: &str) -> Result<&Model, CatalogError> {
        let wanted = plain(name);
        // Punctuation tells `regnet_y_1_6gf` from `regnet_y_16gf`: a name as it is written comes first.
        let is_exactly = |model: &&Model| model.names().any(|known| known == name);
        let is_called = |model: &&Model| model.names().any(|known| plain(known) == wanted);
        self.models().find(is_exactly).or_else(|| self.models().find(is_called)).ok_or_else(|| {
            let near = nearest(name, self.models().map(|model| &*model.name));
            CatalogError::NotFound { what: "model", name: name.to_owned(), near }
        })
    }

    /// The device of that name whose memory is nearest to what was detected: drivers give the 8 GB
    /// and the 16 GB card of one model the same name.
    ///
    /// # Errors
    /// When no device is called so.
    pub fn device_with_memory(&self, name: &str, memory: Bytes) -> Result<&Device, CatalogError> {
        let candidates =
            self.index.find(name).iter().filter_map(|name| self.devices.rows.get(name));
        let distance = |device: &&Device| {
            device
                .memory()
                .value()
                .map_or(u64::MAX, |known| known.value.get().abs_diff(memory.get()))
        };
        candidates.min_by_key(distance).ok_or_else(|| self.no_device(name))
    }

    fn no_device(&self, name: &str) -> CatalogError {
        let names = self.devices.rows.keys().map(|name| &**name);
        CatalogError::NotFound { what: "device", name: name.to_owned(), near: nearest(name, names) }
    }

    /// A provider's region.
    ///
    /// # Errors
    /// When the provider has no such region.
    pub fn region(&self, provider: &str, region: &str) -> Result<&Region, CatalogError> {
        let key = (Arc::from(provider), Arc::from(region));
        self.regions.rows.get(&key).ok_or_else(|| {
            let labels: Vec<_> =
                self.regions.rows.keys().map(|(p, r)| format!("{p}/{r}")).collect();
            let name = format!("{provider}/{region}");
            let near = nearest(&name, labels.iter().map(String::as_str));
            CatalogError::NotFound { what: "region", name, near }
        })
    }

    /// Where an offer's machine stands.
    ///
    /// # Errors
    /// When the table of regions has no such place.
    pub fn region_of(&self, offer: &Offer) -> Result<&Region, CatalogError> {
        self.region(&offer.key.provider, &offer.key.region)
    }

    /// The accelerator of an offer; `None` for a machine without one.
    ///
    /// # Errors
    /// When the table of devices has no such device.
    pub fn device_of(&self, offer: &Offer) -> Result<Option<&Device>, CatalogError> {
        offer.device.as_deref().map(|name| self.device(name)).transpose()
    }

    /// The one offer that a pattern means; see [`Catalog::offers_matching`].
    ///
    /// # Errors
    /// When the pattern fits no offer, or several.
    pub fn offer(&self, pattern: &str) -> Result<&Offer, CatalogError> {
        match self.offers_matching(pattern)?.as_slice() {
            [one] => Ok(one),
            several => Err(CatalogError::Ambiguous {
                name: pattern.to_owned(),
                candidates: several.iter().map(|offer| offer.key.to_string()).collect(),
            }),
        }
    }

    /// The offers that a pattern `PROVIDER/INSTANCE[@REGION]` fits, each part with `*` for anything:
    /// `aws/*`, `lambda/gpu_1x_a10`, `*/*a100*@eu-*`. Never empty.
    ///
    /// # Errors
    /// When no offer fits; the error names the nearest offers or providers.
    pub fn offers_matching(&self, pattern: &str) -> Result<Vec<&Offer>, CatalogError> {
        let wanted = OfferPattern::new(pattern);
        let found: Vec<_> = self.offers().filter(|offer| wanted.fits(&offer.key)).collect();
        if found.is_empty() { Err(self.no_offer(pattern, &wanted)) } else { Ok(found) }
    }

    fn no_offer(&self, pattern: &str, wanted: &OfferPattern<'_>) -> CatalogError {
        let of_provider = |offer: &&Offer| fits(wanted.provider, &offer.key.provider);
        let mut names: Vec<_> = match self.offers().any(|offer| of_provider(&offer)) {
            true => self
                .offers()
                .filter(of_provider)
                .map(|offer| format!("{}/{}", offer.key.provider, offer.key.instance))
                .collect(),
            false => self.offers().map(|offer| format!("{}/*", offer.key.provider)).collect(),
        };
        names.dedup();
        let near = nearest(pattern, names.iter().map(String::as_str));
        CatalogError::NotFound { what: "offer", name: pattern.to_owned(), near }
    }
}

/// A pattern for offers.
#[derive(Clone, Copy, Debug)]
struct OfferPattern<'a> {
    provider: &'a str,
    instance: &'a str,
    region: &'a str,
}

impl<'a> OfferPattern<'a> {
    fn new(text: &'a str) -> Self {
        let (provider, rest) = text.split_once('/').unwrap_or((text, "*"));
        let (instance, region) = rest.rsplit_once('@').unwrap_or((rest, "*"));
        Self { provider, instance, region }
    }

    fn fits(self, key: &OfferKey) -> bool {
        fits(self.provider, &key.provider)
            && fits(self.instance, &key.instance)
            && fits(self.region, &key.region)
    }
}

/// Whether a name fits a pattern in which `*` is anything; case does not count.
fn fits(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').collect::<Vec<_>>();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

/// The names nearest to a wrong one, best first; none when nothing is near.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = short(wrong);
    let limit = wanted.len().div_ceil(3).max(1);
    let mut scored: Vec<_> = names
        .map(|name| {
            let candidate = short(name);
            let part = wanted.len() >= 3 && candidate.contains(&wanted);
            // `4090x`: what people remember of a name is its number.
            let numbered = number(&wanted).is_some() && number(&wanted) == number(&candidate);
            let most = if numbered { limit } else { usize::MAX };
            let steps = if part { 1 } else { distance(&wanted, &candidate).min(most) };
            (steps, candidate.len().abs_diff(wanted.len()), name)
        })
        .filter(|(steps, ..)| *steps <= limit)
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(SUGGESTIONS).map(|(.., name)| name.to_owned()).collect()
}

/// The first number in a name that is long enough to tell one from another.
fn number(name: &str) -> Option<&str> {
    name.split(|letter: char| !letter.is_ascii_digit()).find(|digits| digits.len() >= 3)
}

/// Edit distance with transpositions of neighbours (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != other);
            let mut best = replaced.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        Catalog::builtin().unwrap()
    }

    #[test]
    fn every_spelling_finds_its_device() {
        let catalog = catalog();
        for (spelling, name) in [
            ("rtx-4090", "rtx-4090"),
            ("RTX4090", "rtx-4090"),
            ("NVIDIA GeForce RTX 4090", "rtx-4090"),
            ("Tesla T4", "t4"),
            ("A100", "a100-sxm-40gb"),
            ("A100-80GB", "a100-sxm-80gb"),
            ("NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"),
            ("NVIDIA H100 80GB HBM3", "h100-sxm"),
            ("H100", "h100-sxm"),
            ("Apple M3 Max", "apple-m3-max-40"),
            ("AMD Instinct MI300X", "mi300x"),
            ("instinct mi300x", "mi300x"),
            ("Radeon RX 7900 XTX", "rx-7900-xtx"),
            ("DGX Spark", "gb10"),
        ] {
            assert_eq!(&*catalog.device(spelling).unwrap().name, name, "{spelling}");
        }
    }

    #[test]
    fn every_device_is_found_by_its_own_name_and_title() {
        let catalog = catalog();
        for device in catalog.devices() {
            assert_eq!(catalog.device(&device.name).unwrap().name, device.name);
            assert_eq!(
                catalog.device(&device.title).unwrap().name,
                device.name,
                "{}",
                device.title
            );
        }
    }

    #[test]
    fn a_name_as_it_is_written_comes_before_one_without_punctuation() {
        let catalog = Catalog::builtin().unwrap();
        for name in ["regnet_y_1_6gf", "regnet_y_16gf", "regnet_x_3_2gf", "regnet_x_32gf"] {
            assert_eq!(&*catalog.model(name).unwrap().name, name);
        }
    }

    #[test]
    fn a_wrong_name_suggests_the_right_one() {
        let catalog = catalog();
        for (wrong, right) in [
            ("rtx-409", "rtx-4090"),
            ("h100 sxn", "h100-sxm"),
            ("l40x", "l40s"),
            ("4090x", "rtx-4090"),
        ] {
            let error = catalog.device(wrong).unwrap_err().to_string();
            assert!(error.contains(right), "{error}");
        }
        let error = catalog.device("abacus").unwrap_err().to_string();
        assert_eq!(error, "no device is called \"abacus\"");
    }

    #[test]
    fn detected_memory_settles_a_shared_name() {
        let catalog = catalog();
        let name = "NVIDIA GeForce RTX 5060 Ti";
        let error = catalog.device(name).unwrap_err().to_string();
        assert!(error.ends_with("may be rtx-5060-ti-16gb or rtx-5060-ti-8gb"), "{error}");
        let device = catalog.device_with_memory(name, Bytes::mib(16_311)).unwrap();
        assert_eq!(&*device.name, "rtx-5060-ti-16gb");
    }

    #[test]
    fn patterns_choose_offers() {
        let catalog = catalog();
        assert!(catalog.offers_matching("aws/*").unwrap().len() > 50);
        assert_eq!(catalog.offers_matching("lambda/gpu_1x_a10").unwrap().len(), 4);
        let somewhere = catalog.offers_matching("*/g5.*@eu-*").unwrap();
        assert!(!somewhere.is_empty());
        assert!(somewhere.iter().all(|offer| &*offer.key.provider == "aws"));
        let all = catalog.offers_matching("scaleway").unwrap();
        assert!(all.iter().all(|offer| &*offer.key.provider == "scaleway"));
    }

    #[test]
    fn a_wrong_offer_or_provider_suggests() {
        let catalog = catalog();
        let error = catalog.offers_matching("aws/g4dn.xlrage").unwrap_err().to_string();
        assert!(error.contains("did you mean aws/g4dn.xlarge"), "{error}");
        let error = catalog.offers_matching("lamda/*").unwrap_err().to_string();
        assert!(error.contains("lambda/*"), "{error}");
        assert!(matches!(catalog.offer("aws/*"), Err(CatalogError::Ambiguous { .. })));
        let error = catalog.region("aws", "eu-wset-1").unwrap_err().to_string();
        assert!(error.contains("aws/eu-west-1"), "{error}");
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, expected) in [
            ("*", "x", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "a-c", false),
            ("*a100*", "gpu_8x_A100_80gb", true),
            ("ab*b", "ab", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn distances_count_edits_and_swaps() {
        for (left, right, steps) in
            [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), steps, "{left} {right}");
        }
    }
}
