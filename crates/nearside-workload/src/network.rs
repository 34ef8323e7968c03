//! Whether the commands of a stage reach the network: as stated, or by the class of what it reads.

use nearside_policy::Class;

use crate::Stage;
use crate::named::named;
use crate::reader::Reader;

/// What the commands of a stage reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Servers that they start themselves, and nothing else.
    None,
    /// Whatever this machine reaches.
    Open,
}

impl Network {
    const NAMES: [(Self, &'static str); 2] = [(Self::None, "none"), (Self::Open, "open")];

    /// Of a stage that does not say: one that reads data about people sends nothing anywhere.
    ///
    /// ```
    /// # use nearside_workload::Network;
    /// # use nearside_policy::Class;
    /// assert_eq!(Network::by_default(Class::Internal), Network::Open);
    /// assert_eq!(Network::by_default(Class::Personal), Network::None);
    /// ```
    #[must_use]
    pub fn by_default(reads: Class) -> Self {
        if reads >= Class::Personal { Self::None } else { Self::Open }
    }
}
named!(Network, "network");

impl Stage {
    /// What its commands reach: what it states, else what goes with what it reads.
    #[must_use]
    pub fn network_in_force(&self) -> Network {
        self.network.unwrap_or_else(|| Network::by_default(self.reads))
    }
}

/// Records where the network is cut without anybody having said so.
pub(crate) fn assume(reader: &mut Reader, stages: &[Stage]) {
    let unstated = stages.iter().filter(|stage| stage.network.is_none());
    for stage in unstated.filter(|stage| stage.network_in_force() == Network::None) {
        let what = format!("stage.{}.network", stage.name.value);
        let why = format!("it reads {} data, which its commands must not send away", stage.reads);
        reader.assume(what, Network::None.to_string(), &why);
    }
}
