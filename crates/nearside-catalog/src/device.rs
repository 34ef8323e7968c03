//! What an accelerator can do: memory, bandwidth, arithmetic, power, price.
//!
//! Arithmetic figures are *dense*, and tensor figures are with FP32 accumulation: half or a quarter
//! of what advertisements print. What is not published is unknown.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::{
    Bytes, BytesPerSecond, Date, FlopsPerSecond, Known, Money, ParseError, Sourced, Watts,
};

use crate::table::{Cells, Row};
use crate::{CatalogError, Origin};

/// The number format that arithmetic is done in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// 32-bit float on the vector units.
    Fp32,
    /// 19-bit float on the matrix units.
    Tf32,
    /// 16-bit float.
    Fp16,
    /// 16-bit float with the range of 32 bits.
    Bf16,
    /// 8-bit float.
    Fp8,
    /// 8-bit integer.
    Int8,
}

impl Precision {
    /// Every format and its name, which is also its column.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Fp32, "fp32"),
        (Self::Tf32, "tf32"),
        (Self::Fp16, "fp16"),
        (Self::Bf16, "bf16"),
        (Self::Fp8, "fp8"),
        (Self::Int8, "int8"),
    ];

    /// Every format.
    pub const ALL: [Self; 6] =
        [Self::Fp32, Self::Tf32, Self::Fp16, Self::Bf16, Self::Fp8, Self::Int8];

    /// Formats in which the same numbers can be computed without loss of range, fastest first.
    const fn wider(self) -> &'static [Self] {
        match self {
            Self::Fp32 => &[],
            Self::Tf32 | Self::Fp16 | Self::Bf16 => &[Self::Fp32],
            Self::Fp8 | Self::Int8 => &[Self::Bf16, Self::Fp16, Self::Fp32],
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(format, _)| format == self).map_or("", |(_, n)| n);
        formatter.write_str(name)
    }
}

impl FromStr for Precision {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(format, _)| *format).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "one of fp32, tf32, fp16, bf16, fp8, int8",
        })
    }
}

/// What sort of part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// A graphics card or module with its own memory.
    Gpu,
    /// A part made for neural networks only (TPU, Gaudi, Trainium).
    Accelerator,
    /// A chip that shares the machine's memory with the CPU (Apple, Jetson, GB10).
    Soc,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gpu => "gpu",
            Self::Accelerator => "accelerator",
            Self::Soc => "soc",
        })
    }
}

impl FromStr for DeviceKind {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "gpu" => Ok(Self::Gpu),
            "accelerator" => Ok(Self::Accelerator),
            "soc" => Ok(Self::Soc),
            _ => Err(ParseError::Malformed {
                text: text.to_owned(),
                expected: "gpu, accelerator or soc",
            }),
        }
    }
}

/// How a part is put into a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Into a slot of a board.
    Slot,
    /// Onto a carrier of its maker (SXM, OAM), which is sold in whole machines only.
    Module,
}

impl FromStr for Form {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "slot" => Ok(Self::Slot),
            "module" => Ok(Self::Module),
            _ => Err(ParseError::Malformed { text: text.to_owned(), expected: "slot or module" }),
        }
    }
}

/// NVIDIA's compute capability, such as 8.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComputeCapability {
    /// Before the point: binary compatibility ends here.
    pub major: u8,
    /// After the point.
    pub minor: u8,
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ComputeCapability {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts = text.split_once('.').and_then(|(major, minor)| {
            Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
        });
        parts.ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a compute capability, as in \"8.9\"",
        })
    }
}

/// An accelerator.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its name in commands and files, such as `rtx-4090`.
    pub name: Arc<str>,
    /// Its name for people.
    pub title: Arc<str>,
    /// Who makes it.
    pub vendor: Option<Arc<str>>,
    /// Other spellings: drivers, clouds, people.
    pub aliases: Vec<Arc<str>>,
    /// What sort of part it is.
    pub kind: DeviceKind,
    /// Its generation.
    pub architecture: Option<Arc<str>>,
    /// When it came out.
    pub released: Option<Date>,
    /// NVIDIA's compute capability.
    pub compute_capability: Option<ComputeCapability>,
    /// How it is attached.
    pub bus: Option<Arc<str>>,
    /// How it is put into a machine; a slot where the table does not say.
    pub form: Form,
    /// Where the figures came from.
    pub origin: Origin,
    figures: Figures,
}

/// The figures of a device; each may be unknown.
#[derive(Clone, Debug, PartialEq)]
struct Figures {
    memory: Option<Bytes>,
    bandwidth: Option<BytesPerSecond>,
    peaks: BTreeMap<Precision, FlopsPerSecond>,
    measured_16bit: Option<FlopsPerSecond>,
    power: Option<Watts>,
    list_price: Option<Money>,
    price_source: Option<Arc<str>>,
}

impl Device {
    /// Device memory. For a chip that shares the machine's memory: the largest option.
    pub fn memory(&self) -> Known<Sourced<Bytes>> {
        self.known(self.figures.memory, "memory size")
    }

    /// Memory bandwidth.
    pub fn bandwidth(&self) -> Known<Sourced<BytesPerSecond>> {
        self.known(self.figures.bandwidth, "memory bandwidth")
    }

    /// Highest power drawn by design (TDP, board power).
    pub fn power(&self) -> Known<Sourced<Watts>> {
        self.known(self.figures.power, "power")
    }

    /// Dense arithmetic peak in one number format.
    pub fn peak(&self, precision: Precision) -> Known<Sourced<FlopsPerSecond>> {
        let figure = self.figures.peaks.get(&precision).copied();
        Known::from_option(
            figure.map(|peak| self.origin.sourced(peak)),
            format!("no dense {precision} figure for {} is published", self.name),
        )
    }

    /// The best rate at which numbers of this format can be computed: in the format itself, or in a
    /// wider one when that is faster or the only one known. Using a wider one is said in the basis.
    pub fn best_peak(&self, precision: Precision) -> Known<Sourced<FlopsPerSecond>> {
        let known =
            |format: &Precision| self.figures.peaks.get(format).map(|peak| (*format, *peak));
        let formats = std::iter::once(&precision).chain(precision.wider());
        let best = formats.filter_map(known).reduce(|best, next| match next.1 > best.1 {
            true => next,
            false => best,
        });
        match best {
            Some((format, peak)) if format == precision => Known::Value(self.origin.sourced(peak)),
            Some((format, peak)) => {
                let how = format!("{precision} computed at the {format} rate");
                Known::Value(self.origin.derived(peak, &how))
            }
            None => self.peak(precision),
        }
    }

    /// Rate that large matrix products of 16-bit floats were measured to reach, the lower of FP16 and
    /// BF16 where it has both. Of a T4 it is what the power limit leaves in a long run; of others
    /// it is the best of a test, whose source the row names.
    pub fn measured_16bit(&self) -> Known<Sourced<FlopsPerSecond>> {
        self.known(self.figures.measured_16bit, "measured 16-bit rate")
    }

    /// Price when new; whose price it is, is the source.
    pub fn list_price(&self) -> Known<Sourced<Money>> {
        let mut price = self.known(self.figures.list_price, "list price");
        if let (Known::Value(price), Some(source)) = (&mut price, &self.figures.price_source) {
            price.basis.source = Arc::clone(source);
        }
        price
    }

    fn known<T>(&self, value: Option<T>, what: &str) -> Known<Sourced<T>> {
        let value = value.map(|value| self.origin.sourced(value));
        Known::from_option(value, format!("no {what} of {} is known", self.name))
    }
}

impl Row for Device {
    type Key = Arc<str>;
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "title",
        "vendor",
        "aliases",
        "kind",
        "architecture",
        "released",
        "memory",
        "bandwidth",
        "fp32",
        "tf32",
        "fp16",
        "bf16",
        "fp8",
        "int8",
        "measured_16bit",
        "power",
        "compute_capability",
        "bus",
        "form",
        "list_price",
        "price_source",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        Ok(Self {
            name: cells.required_text("name")?,
            title: cells.required_text("title")?,
            vendor: cells.text("vendor"),
            aliases: cells.list("aliases").map(Arc::from).collect(),
            kind: cells.required("kind")?,
            architecture: cells.text("architecture"),
            released: cells.optional("released")?,
            compute_capability: cells.optional("compute_capability")?,
            bus: cells.text("bus"),
            form: cells.optional("form")?.unwrap_or(Form::Slot),
            figures: Figures::read(cells)?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    fn label(&self) -> String {
        self.name.to_string()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Figures {
    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let mut peaks = BTreeMap::new();
        for (format, column) in Precision::NAMES {
            if let Some(peak) = cells.optional(column)? {
                peaks.insert(format, peak);
            }
        }
        Ok(Self {
            memory: cells.optional("memory")?,
            bandwidth: cells.optional("bandwidth")?,
            peaks,
            measured_16bit: cells.optional("measured_16bit")?,
            power: cells.optional("power")?,
            list_price: cells.optional("list_price")?,
            price_source: cells.text("price_source"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    fn device(name: &str) -> Device {
        Catalog::builtin().unwrap().device(name).unwrap().clone()
    }

    fn tera(figure: Known<Sourced<FlopsPerSecond>>) -> f64 {
        figure.value().unwrap().value.as_flops_per_second() / 1e12
    }

    #[test]
    fn tensor_figures_are_dense_with_fp32_accumulation() {
        for (name, precision, expected) in [
            ("rtx-4090", Precision::Bf16, 165.2),
            ("rtx-3090", Precision::Fp16, 71.2),
            ("rtx-5090", Precision::Bf16, 209.6),
            ("rtx-a6000", Precision::Bf16, 154.8),
            ("a100-sxm-80gb", Precision::Bf16, 312.0),
            ("h100-sxm", Precision::Fp8, 1979.0),
            ("l4", Precision::Fp16, 121.0),
            ("a10g", Precision::Bf16, 70.0),
            ("mi300x", Precision::Bf16, 1307.4),
        ] {
            let peak = tera(device(name).peak(precision));
            assert!((peak - expected).abs() < 0.05, "{name} {precision}: {peak}");
        }
    }

    #[test]
    fn an_unpublished_rate_is_unknown_with_a_reason() {
        let why = device("gb10").peak(Precision::Bf16);
        assert_eq!(why.why(), Some("no dense bf16 figure for gb10 is published"));
    }

    #[test]
    fn a_format_without_a_figure_runs_at_a_wider_rate_and_says_so() {
        let peak = device("apple-m3-max-40").best_peak(Precision::Fp16).value().unwrap();
        assert!(peak.basis.source.contains("fp16 computed at the fp32 rate"), "{}", peak.basis);
        let slow_half = device("gtx-1080-ti").best_peak(Precision::Fp16);
        assert!((tera(slow_half) - 11.34).abs() < 0.01);
        let fast_half = device("t4").best_peak(Precision::Int8);
        assert!((tera(fast_half) - 130.0).abs() < 0.01);
    }

    #[test]
    fn known_errors_of_the_sources_are_not_repeated() {
        let power = |name: &str| device(name).power().value().unwrap().value.as_watts();
        let gigabytes = |name: &str| {
            device(name).bandwidth().value().unwrap().value.as_bytes_per_second() / 1e9
        };
        assert!((power("v100-sxm-16gb") - 300.0).abs() < 0.1);
        assert!((power("a10g") - 300.0).abs() < 0.1);
        assert!((gigabytes("mi300x") - 5300.0).abs() < 0.1);
        assert_eq!(device("b200").memory().value().unwrap().value, Bytes::gib(180));
    }

    #[test]
    fn names_read_back() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
        }
        assert_eq!("8.9".parse::<ComputeCapability>().unwrap().to_string(), "8.9");
        assert!("ada".parse::<ComputeCapability>().is_err());
    }
}
