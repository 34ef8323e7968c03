//! What llama.cpp reserves for a row, and what it reads to write a token.

use nearside_architecture::{Architecture, Decoder, Dtype, Shape};
use nearside_catalog::{Catalog, Device, DeviceKind};
use nearside_estimate::Calibration;
use nearside_estimate::decode::{Packing, Token};
use nearside_estimate::engine::llama_cpp::{
    Accelerator, Buffers, Family, FlashAttention, Loading, Mix, Model, Offload, Outputs,
    Reservation, Settings, Sharing, WindowCache, reserve,
};
use nearside_units::Span;

use crate::interval;
use crate::place;
use crate::row::{Reason, Row};
use crate::subject::Subject;
use crate::words::{self, Metric};

/// Bits from which on a type counts as a float.
const FLOAT_BITS: f64 = 16.0;

/// A model as llama.cpp loads it, with its parts.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    model: Model,
    decoder: Decoder,
    packing: Packing,
}

impl Served {
    /// The model of a row.
    pub(crate) fn of(row: &Row, catalog: &Catalog) -> Result<Self, Reason> {
        let subject = Subject::of(row, catalog)?;
        let Architecture::Decoder(decoder) = subject.architecture()? else {
            return Err("its family has no graph in llama.cpp's estimate yet".to_owned());
        };
        let mixed = row.cell("quant").replace('-', "_").parse::<Mix>();
        let model = match (&subject, mixed.clone()) {
            (Subject::File(header), _) => Model::from_header(header),
            (Subject::Architecture(_), mix) => {
                Model::from_decoder(&decoder, Family::of(&decoder), mix?)
            }
        };
        let model = model.map_err(|error| error.to_string())?;
        let traffic = model.traffic();
        let bits = traffic.bytes.get() as f64 * 8.0 / traffic.elements.max(1) as f64;
        let packing = if bits < FLOAT_BITS { Packing::Blocks } else { Packing::Floats };
        Ok(Self { model, decoder, packing })
    }

    /// What it reserves.
    pub(crate) fn reserve(&self, row: &Row, place: Place<'_>) -> Result<Reservation, Reason> {
        let settings = settings(row, place, &self.decoder)?;
        reserve(&self.model, &settings).map_err(|error| error.to_string())
    }

    /// What one token takes after the row's `context` others.
    pub(crate) fn token(&self, row: &Row) -> Result<Token, Reason> {
        if row.number("batch", 1)? != 1 {
            return Err("the speed of several streams is not estimated".to_owned());
        }
        let past = row.number("context", 0)?;
        let graph = Architecture::Decoder(self.decoder.clone()).graph(Shape::next_token(1, past));
        let graph = graph.ok_or("its family has no graph yet")?;
        let kept = words::dtype(row.cell("kv_type"))?.unwrap_or(Dtype::F16);
        Ok(Token {
            weights: self.model.traffic(),
            packing: self.packing,
            cache: kept.bytes(graph.cached_elements(past)),
            layers: u32::try_from(self.decoder.layers.len()).unwrap_or(u32::MAX),
        })
    }

    /// Whether everything is on the device: a model that is too large runs partly on a processor.
    pub(crate) fn must_fit(&self, row: &Row, device: &Device) -> Result<(), Reason> {
        let Some(memory) = device.memory().value() else { return Ok(()) };
        let calibration = Calibration::default().memory;
        if device.kind == DeviceKind::Soc {
            return Ok(());
        }
        let row = row.clone().with("context", "4096").with("gpu_layers", "");
        let place = Place::Device(device);
        let needed = self.reserve(&row, place)?.device.total() + calibration.context.value.likely();
        let there = memory.value.scaled(calibration.usable.value.likely());
        match needed <= there {
            true => Ok(()),
            false => Err(format!(
                "the model does not fit the device: it needs {needed} of {there}, so some layers ran \
                 on a processor that is not named"
            )),
        }
    }
}

/// Where a row's figure was read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'catalog> {
    /// In main memory.
    Host,
    /// On whatever accelerator there was.
    Accelerator,
    /// On both together.
    All,
    /// On a device of the catalog.
    Device(&'catalog Device),
}

impl<'catalog> Place<'catalog> {
    /// The place of a row.
    pub(crate) fn of(row: &Row, catalog: &'catalog Catalog) -> Result<Self, Reason> {
        Ok(match row.cell("device") {
            "host" | "cpu" => Self::Host,
            "device" | "gpu" => Self::Accelerator,
            "" | "-" | "all" => Self::All,
            _ => place::device(row, catalog)?.map_or(Self::All, Self::Device),
        })
    }
}

/// A figure of a reservation.
pub(crate) fn figure(
    reservation: &Reservation,
    metric: Metric,
    place: Place<'_>,
) -> Option<Span<f64>> {
    let of = |buffers: &Buffers| match metric {
        Metric::Weights => Some(buffers.weights),
        Metric::KvCache => Some(buffers.cache),
        Metric::Compute => Some(buffers.compute),
        Metric::Output => Some(buffers.output),
        Metric::Process => Some(buffers.total()),
        _ => None,
    };
    let (host, device) = (of(&reservation.host)?, of(&reservation.device)?);
    let bytes = match place {
        Place::Host => host,
        Place::All => host + device,
        Place::Accelerator | Place::Device(_) => device,
    };
    let span = interval::printed(bytes, reservation);
    Some(match (metric, place) {
        (Metric::Process, Place::Device(_)) => {
            let context = Calibration::default().memory.context.value;
            span + context.map(|context| context.get() as f64)
        }
        _ => span,
    })
}

/// Settings in the row's columns, or as words such as `n_batch=2048` in its source.
fn settings(row: &Row, place: Place<'_>, decoder: &Decoder) -> Result<Settings, Reason> {
    let default = Settings::default();
    let number = |name: &str, default: u64| match row.cell(name) {
        "" => Ok(noted(row, name).unwrap_or(default)),
        _ => row.number(name, default),
    };
    let kept = if row.cell("kv_type").is_empty() { "f16" } else { row.cell("kv_type") };
    let (keys, values) = kept.split_once('/').unwrap_or((kept, kept));
    let whole = decoder.layers.len() as u64 + 1;
    let (accelerator, all) = match place {
        Place::Device(_) => (Accelerator::Cuda, whole),
        _ => (Accelerator::Remote, 0),
    };
    let layers = match row.cell("gpu_layers") {
        "" | "-" | "all" | "-1" => all,
        _ => row.number("gpu_layers", all)?,
    };
    Ok(Settings {
        context: row.number("context", default.context)?,
        sequences: row.number("batch", 1)?,
        sharing: match number("kv_unified", 0)? {
            0 => Sharing::Separate,
            _ => Sharing::Shared,
        },
        batch: number("n_batch", default.batch)?,
        micro_batch: row.number("sequence", default.micro_batch)?,
        key_type: words::dtype(keys)?.unwrap_or(Dtype::F16),
        value_type: words::dtype(values)?.unwrap_or(Dtype::F16),
        flash_attention: match row.cell("attention") {
            "eager" | "off" | "none" => FlashAttention::Off,
            _ => FlashAttention::On,
        },
        outputs: match number("n_outputs_max", 0)? {
            0 => Outputs::EveryToken,
            outputs => Outputs::AtMost(outputs),
        },
        window_cache: match number("swa_full", 0)? {
            0 => WindowCache::Trimmed,
            _ => WindowCache::Full,
        },
        loading: Loading::Mapped,
        offload: (layers > 0).then_some(Offload { accelerator, layers }),
    })
}

/// What the column `source` says under that name.
fn noted(row: &Row, name: &str) -> Option<u64> {
    let mut words = row.cell("source").split([' ', ';', ',']);
    let note = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    note.and_then(|note| note.parse().ok())
}
