//! What devices say to each other, and how long it takes.
//!
//! A ring moves a tensor of `s` bytes among `n` devices in `n - 1` turns, each device sending
//! `s / n` per turn: `(n - 1) / n * s` for an all-gather or a reduce-scatter, twice that for an
//! all-reduce, which is one after the other (Patarasuk, Yuan: Bandwidth optimal all-reduce
//! algorithms, JPDC 69(2), 2009). `t = turns * latency + sent / rate`.

use nearside_units::{Bytes, BytesPerSecond, Duration, Span};

/// Who gets what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collective {
    /// Everybody gets the sum of what all had.
    AllReduce,
    /// Everybody gets every part.
    AllGather,
    /// Everybody gets a part of the sum of what all had.
    ReduceScatter,
    /// One neighbour gets what one had.
    Send,
}

/// Whether work can go on meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlap {
    /// The next kernel needs the result.
    Exposed,
    /// It runs beside kernels that do not need it: gradients that are complete, weights of the next
    /// block. How much of it is hidden depends on the program.
    Beside,
}

/// Something that devices exchange, again and again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// Who gets what.
    pub collective: Collective,
    /// The whole tensor, of which each device has a part or a summand.
    pub bytes: Bytes,
    /// Devices that take part.
    pub members: u64,
    /// How often in one run of the workload.
    pub repeats: f64,
    /// Whether work goes on meanwhile.
    pub overlap: Overlap,
}

/// What joins two devices of one machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// What one device can send while it receives.
    pub rate: Span<BytesPerSecond>,
    /// Until the first byte of a turn arrives.
    pub latency: Span<Duration>,
}

impl Collective {
    /// What each of `members` devices sends for a tensor of that size.
    ///
    /// ```
    /// # use nearside_estimate::communication::Collective::{AllGather, AllReduce, ReduceScatter};
    /// # use nearside_units::Bytes;
    /// let tensor = Bytes::new(800);
    /// assert_eq!(AllGather.sent(tensor, 4), Bytes::new(600));
    /// assert_eq!(AllReduce.sent(tensor, 4), AllGather.sent(tensor, 4) + ReduceScatter.sent(tensor, 4));
    /// ```
    #[must_use]
    pub fn sent(self, tensor: Bytes, members: u64) -> Bytes {
        let members = members.max(1) as f64;
        let once = (members - 1.0) / members;
        match self {
            Self::AllReduce => tensor.scaled(once) * 2,
            Self::AllGather | Self::ReduceScatter => tensor.scaled(once),
            Self::Send => tensor,
        }
    }

    /// Messages that follow each other.
    #[must_use]
    pub const fn turns(self, members: u64) -> u64 {
        let others = members.saturating_sub(1);
        match self {
            Self::AllReduce => 2 * others,
            Self::AllGather | Self::ReduceScatter => others,
            Self::Send => 1,
        }
    }
}

impl Exchange {
    /// What a device sends in one run of the workload.
    #[must_use]
    pub fn sent(&self) -> Bytes {
        self.collective.sent(self.bytes, self.members).scaled(self.repeats)
    }

    /// How long it takes in one run of the workload if nothing goes on beside it.
    #[must_use]
    pub fn time(&self, link: &Link) -> Span<Duration> {
        let once = self.collective.sent(self.bytes, self.members);
        let turns = self.collective.turns(self.members) as f64;
        let moving = Span::exact(once).combine_inverse(link.rate, |bytes, rate| bytes / rate);
        (moving + link.latency.map(|latency| latency * turns)).map(|time| time * self.repeats)
    }
}

/// Time of work with its exchanges: what is exposed is added; what runs beside the work is hidden at
/// best as far as there is work, at worst not at all, likely half.
#[must_use]
pub fn together(work: Span<Duration>, exchanges: &[Exchange], link: &Link) -> Span<Duration> {
    let sum = |overlap: Overlap| {
        let these = exchanges.iter().filter(|exchange| exchange.overlap == overlap);
        these.map(|exchange| exchange.time(link)).fold(Span::exact(Duration::ZERO), |a, b| a + b)
    };
    let (exposed, beside) = (sum(Overlap::Exposed), sum(Overlap::Beside));
    let longer = |a: Duration, b: Duration| if a > b { a } else { b };
    let hidden = longer(work.low(), beside.low());
    let half = (longer(work.likely(), beside.likely()) + (work.likely() + beside.likely())) * 0.5;
    let open = work.high() + beside.high();
    Span::new(hidden, half, open).unwrap_or(Span::exact(half)) + exposed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            rate: Span::exact(BytesPerSecond::constant(1e9)),
            latency: Span::exact(Duration::constant(1e-5)),
        }
    }

    fn exchange(collective: Collective, members: u64, overlap: Overlap) -> Exchange {
        let bytes = Bytes::new(1_000_000_000);
        Exchange { collective, bytes, members, repeats: 1.0, overlap }
    }

    #[test]
    fn an_all_reduce_is_a_reduce_scatter_and_an_all_gather() {
        for members in [1, 2, 3, 7, 8, 64] {
            let of = |collective| exchange(collective, members, Overlap::Exposed);
            let [all, gather, scatter] =
                [Collective::AllReduce, Collective::AllGather, Collective::ReduceScatter].map(of);
            assert_eq!(all.sent(), gather.sent() + scatter.sent());
            let seconds = |exchange: Exchange| exchange.time(&link()).likely().as_seconds();
            assert!((seconds(all) - seconds(gather) - seconds(scatter)).abs() < 1e-9);
        }
    }

    #[test]
    fn one_device_has_nothing_to_exchange() {
        let alone = exchange(Collective::AllReduce, 1, Overlap::Exposed);
        assert_eq!(alone.time(&link()).likely(), Duration::ZERO);
        // Two devices move each byte once out and once in: 2 (2 - 1) / 2 = 1, in two turns.
        let two = exchange(Collective::AllReduce, 2, Overlap::Exposed).time(&link()).likely();
        assert!((two.as_seconds() - 1.00002).abs() < 1e-9);
    }

    #[test]
    fn what_runs_beside_work_is_hidden_at_best_and_exposed_at_worst() {
        let work = Span::exact(Duration::constant(3.0));
        let of = |overlap| together(work, &[exchange(Collective::Send, 2, overlap)], &link());
        let beside = of(Overlap::Beside);
        assert!((beside.low().as_seconds() - 3.0).abs() < 1e-9);
        assert!((beside.high().as_seconds() - 4.00001).abs() < 1e-9);
        let exposed = of(Overlap::Exposed);
        assert!((exposed.low().as_seconds() - 4.00001).abs() < 1e-9);
    }
}
