//! What can hold work back.

/// What held the work back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bottleneck {
    /// All processors that the work may use are busy with it.
    Processors,
    /// Several threads run, but fewer than there are processors.
    FewThreads,
    /// One thread at a time does the work.
    SingleThread,
    /// Threads wait for each other: a lock, a queue, a global interpreter lock.
    Lock,
    /// A quota of processor time.
    Quota,
    /// A disk.
    Disk,
    /// A network, or whoever is at its other end.
    Network,
    /// Main memory: what is in use does not fit.
    Memory,
    /// Nothing: the work sleeps by the clock.
    Timer,
    /// What another program on this machine hands over: a pipe, a terminal, a local socket.
    Input,
    /// An accelerator's arithmetic.
    AcceleratorCompute,
    /// An accelerator's memory bandwidth.
    AcceleratorBandwidth,
    /// An accelerator's memory: what is in use does not fit.
    AcceleratorMemory,
    /// The link between the machine and an accelerator.
    AcceleratorLink,
    /// An accelerator waits for the next piece of work: each is small, and one thread hands them out.
    Launch,
    /// Heat: clocks are held down.
    Heat,
    /// A power limit: clocks are held down.
    PowerLimit,
    /// Nothing that was seen explains where the time went.
    Unknown,
}

impl Bottleneck {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Processors,
        Self::FewThreads,
        Self::SingleThread,
        Self::Lock,
        Self::Quota,
        Self::Disk,
        Self::Network,
        Self::Memory,
        Self::Timer,
        Self::Input,
        Self::AcceleratorCompute,
        Self::AcceleratorBandwidth,
        Self::AcceleratorMemory,
        Self::AcceleratorLink,
        Self::Launch,
        Self::Heat,
        Self::PowerLimit,
        Self::Unknown,
    ];

    /// Its name for programs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Processors => "cpu",
            Self::FewThreads => "few-threads",
            Self::SingleThread => "single-thread",
            Self::Lock => "lock",
            Self::Quota => "cpu-quota",
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Memory => "ram",
            Self::Timer => "idle",
            Self::Input => "input",
            Self::AcceleratorCompute => "gpu-compute",
            Self::AcceleratorBandwidth => "vram-bandwidth",
            Self::AcceleratorMemory => "vram-capacity",
            Self::AcceleratorLink => "pcie",
            Self::Launch => "launch",
            Self::Heat => "thermal",
            Self::PowerLimit => "power-cap",
            Self::Unknown => "unknown",
        }
    }

    /// In words, as the end of "the bottleneck is ...".
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Processors => "the processors",
            Self::FewThreads => "too few threads",
            Self::SingleThread => "a single thread",
            Self::Lock => "a lock: threads wait for each other",
            Self::Quota => "a quota of processor time",
            Self::Disk => "the disk",
            Self::Network => "the network",
            Self::Memory => "main memory",
            Self::Timer => "the clock: the work sleeps",
            Self::Input => "its input: the work waits for another program",
            Self::AcceleratorCompute => "the accelerator",
            Self::AcceleratorBandwidth => "the accelerator's memory bandwidth",
            Self::AcceleratorMemory => "the accelerator's memory",
            Self::AcceleratorLink => "the link to the accelerator",
            Self::Launch => "handing work to the accelerator",
            Self::Heat => "heat",
            Self::PowerLimit => "a power limit",
            Self::Unknown => "not known",
        }
    }
}
