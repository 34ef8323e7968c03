//! What went wrong with a model of the hub, whose fault it is, and what to do about it.

use nearside_fetch::FetchError;
use nearside_models::hub::{Endpoint, GgufChoice, HubError, Repository};

use crate::error::{CommandError, Fault};
use crate::output::{Align, table};

/// Quantization that is proposed where there is a choice.
const PROPOSED: &str = "Q4_K_M";

/// The error as this program tells it.
pub(crate) fn told(error: &HubError, endpoint: &Endpoint) -> CommandError {
    let message = match error {
        HubError::Several { choices, .. } | HubError::NoQuantization { choices, .. } => {
            format!("{error}{}", listed(choices))
        }
        _ => error.to_string(),
    };
    let told = CommandError::new(fault(error), message);
    match hint(error, endpoint) {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

const fn fault(error: &HubError) -> Fault {
    match error {
        HubError::Reference(_)
        | HubError::Endpoint { .. }
        | HubError::Token { .. }
        | HubError::PickleOnly { .. }
        | HubError::Pickle { .. }
        | HubError::NoWeights { .. }
        | HubError::Several { .. }
        | HubError::NoQuantization { .. }
        | HubError::NoFile { .. } => Fault::Input,
        _ => Fault::World,
    }
}

fn hint(error: &HubError, endpoint: &Endpoint) -> Option<String> {
    let pull = |what: &dyn std::fmt::Display| format!("nearside model pull {what}");
    Some(match error {
        HubError::Reference(error) => match &error.instead {
            Some(instead) => pull(instead),
            None => format!("write ORG/NAME, as in {}", pull(&"HuggingFaceTB/SmolLM2-135M")),
        },
        HubError::NoRepository { repository, with_token: false } => {
            format!("look at {}; if it is private, set HF_TOKEN", endpoint.page(repository))
        }
        HubError::NoRepository { repository, .. } => {
            format!(
                "look at {}; is the token of somebody who may see it?",
                endpoint.page(repository)
            )
        }
        HubError::NoRevision { repository, .. } => {
            format!("its branches are at {}/tree/main", endpoint.page(repository))
        }
        HubError::Gated { page, with_token: true, .. } => {
            format!("accept the licence at {page}")
        }
        HubError::Gated { page, .. } => {
            format!("accept the licence at {page}, and set HF_TOKEN to a token of yours")
        }
        HubError::Denied { .. } => {
            "HF_TOKEN, or else the file of `hf auth login`, holds a token that is no longer good"
                .to_owned()
        }
        HubError::PickleOnly { repository, .. } => format!(
            "there may be safetensors among its pull requests: {} --revision refs/pr/1",
            pull(repository)
        ),
        HubError::Several { repository, choices }
        | HubError::NoQuantization { repository, choices, .. } => {
            pull(&chosen(repository, choices)?)
        }
        HubError::NoFile { repository, near: Some(near), .. } => {
            pull(&format!("{repository}/{near}"))
        }
        HubError::NotCached { .. } if endpoint.is_offline() => {
            "unset HF_HUB_OFFLINE to fetch it".to_owned()
        }
        HubError::NotCached { reference, .. } => pull(reference),
        HubError::Room { .. } => "set HF_HUB_CACHE to a folder on another disk".to_owned(),
        HubError::Fetch(error) => by_the_way(error)?.to_owned(),
        _ => return None,
    })
}

/// What to do where the way to the hub is at fault.
const fn by_the_way(error: &FetchError) -> Option<&'static str> {
    match error {
        FetchError::Unreachable { .. } => Some(
            "what came is kept: the same command goes on from there; HF_ENDPOINT names another hub, \
             HTTPS_PROXY a way through",
        ),
        FetchError::Digest { .. } | FetchError::Length { .. } => Some(
            "the hub or something on the way to it gives other bytes than it promised: pull again, or from \
             another HF_ENDPOINT",
        ),
        FetchError::Status { status: 429 | 500..=599, .. } => {
            Some("the hub is busy or broken: pull again later; what came is kept")
        }
        _ => None,
    }
}

/// A reference to the file that most would take.
fn chosen(repository: &Repository, choices: &[GgufChoice]) -> Option<String> {
    let proposed = choices.iter().find(|choice| choice.quantization.as_deref() == Some(PROPOSED));
    let one = proposed.or_else(|| choices.first())?;
    let same = |choice: &&GgufChoice| choice.quantization == one.quantization;
    Some(match &one.quantization {
        Some(quantization) if choices.iter().filter(same).count() == 1 => {
            format!("{repository}:{quantization}")
        }
        _ => format!("{repository}/{}", one.file),
    })
}

/// What can be chosen, with sizes.
fn listed(choices: &[GgufChoice]) -> String {
    let heads = [("quantization", Align::Left), ("size", Align::Right), ("file", Align::Left)];
    let row = |choice: &GgufChoice| {
        let quantization = choice.quantization.clone().unwrap_or_else(|| "-".to_owned());
        vec![quantization, choice.bytes.si(), choice.file.clone()]
    };
    match choices.is_empty() {
        true => String::new(),
        false => format!("\n{}", table(&heads, choices.iter().map(row).collect())),
    }
}
