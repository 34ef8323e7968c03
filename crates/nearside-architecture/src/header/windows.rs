//! Which layers of a `config.json` see only a window, and how wide it is.

use super::config::{Config, LAYERS};
use super::family::{Family, MAX_CONTEXT, MAX_LAYERS, Recurrence, WindowRule};
use crate::HeaderError;

/// An entry of a window pattern: 1 or `true` for a layer with a window.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(untagged)]
enum Local {
    Flag(bool),
    Number(u8),
}

impl From<Local> for bool {
    fn from(local: Local) -> Self {
        match local {
            Local::Flag(flag) => flag,
            Local::Number(number) => number != 0,
        }
    }
}

impl Config<'_> {
    /// The window of each layer; `None` if a layer is no attention layer at all (a hybrid).
    pub(super) fn windows(&self) -> Result<Option<Vec<Option<u64>>>, HeaderError> {
        let fields = self.fields;
        let layers = match self.pattern_length()? {
            Some(layers) => layers,
            None => fields.required(LAYERS, 1..=MAX_LAYERS)?,
        };
        let types = fields.read::<Vec<String>>("layer_types", "a list of names")?;
        if types.as_ref().is_some_and(|types| types.len() as u64 != layers) {
            return Err(
                fields.wrong("layer_types", &format!("one name for each of {layers} layers"))
            );
        }
        let attends = |name: &String| name == "full_attention" || name == "sliding_attention";
        let known = |names: &Vec<String>| match self.family.recurrence {
            Recurrence::Never => names.iter().all(attends),
            _ => self.knows_blocks(names),
        };
        if types.as_ref().is_some_and(|types| !known(types)) {
            return Ok(None);
        }
        let Some(window) = self.window()? else {
            return Ok(Some((0..layers).map(|_| None).collect()));
        };
        let pattern = match types {
            Some(types) => types.iter().map(|name| name == "sliding_attention").collect(),
            None => self.pattern(layers)?,
        };
        Ok(Some(pattern.into_iter().map(|windowed| windowed.then_some(window)).collect()))
    }

    /// The window, if any layer has one, in tokens.
    fn window(&self) -> Result<Option<u64>, HeaderError> {
        let fields = self.fields;
        let stated = fields.number("sliding_window", 1..=MAX_CONTEXT)?;
        // `null` means none, but a field that is not there means the default.
        let silent = !fields.mentions("sliding_window");
        Ok(match self.family.window {
            WindowRule::Never => None,
            WindowRule::OptIn { .. } if fields.flag("use_sliding_window")? != Some(true) => None,
            WindowRule::OptIn { window: default, .. } | WindowRule::Everywhere(default) => {
                stated.or(default.filter(|_| silent))
            }
            WindowRule::AllButLast { window, .. } => stated.or(silent.then_some(window)),
        })
    }

    /// Which layers see only the window.
    fn pattern(&self, layers: u64) -> Result<Vec<bool>, HeaderError> {
        let fields = self.fields;
        let names = ["sliding_window_pattern", "_sliding_window_pattern"];
        let name = names.into_iter().find(|name| fields.raw(name).is_some());
        let indices = 0..usize::try_from(layers).unwrap_or(0);
        if let Some(name) = name.filter(|name| fields.read::<u64>(name, "").is_err()) {
            let expected = "a number of layers, or a list of 0 and 1";
            let list: Vec<Local> = fields.read(name, expected)?.unwrap_or_default();
            if list.is_empty() || list.len() as u64 > layers {
                return Err(fields.wrong(name, expected));
            }
            return Ok(indices.map(|layer| list[layer % list.len()].into()).collect());
        }
        let group = name.map(|name| fields.number(name, 1..=MAX_LAYERS)).transpose()?.flatten();
        Ok(match self.family.window {
            WindowRule::AllButLast { group: default, .. } => {
                let group = group.unwrap_or(default);
                indices.map(|layer| Family::windowed(layer, group)).collect()
            }
            WindowRule::OptIn { from: Some(default), .. } => {
                let from = fields.number("max_window_layers", 0..=MAX_CONTEXT)?.unwrap_or(default);
                indices.map(|layer| layer as u64 >= from).collect()
            }
            WindowRule::OptIn { from: None, .. }
            | WindowRule::Everywhere(_)
            | WindowRule::Never => indices.map(|_| true).collect(),
        })
    }
}
