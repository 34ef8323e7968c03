//! How class flows along a pipeline, and where a stage promises a lower one.

use crate::Class;

/// A stage's word that an output will be of a lower class than its inputs. It is believed for
/// planning and re-checked before anything moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The output it is about.
    pub output: String,
    /// The class that the output will have.
    pub class: Class,
}

/// The class of an output: what it was promised, else the highest class of the inputs.
/// A promise never raises trust in data that was less sensitive anyway.
///
/// ```
/// use nearside_policy::{Class, flow};
/// assert_eq!(flow([Class::Public, Class::Personal], None), Class::Personal);
/// assert_eq!(flow([Class::Personal], Some(Class::Internal)), Class::Internal);
/// assert_eq!(flow([], None), Class::Public);
/// ```
#[must_use]
pub fn flow(inputs: impl IntoIterator<Item = Class>, promised: Option<Class>) -> Class {
    let highest = inputs.into_iter().max().unwrap_or(Class::Public);
    promised.unwrap_or(highest)
}
