//! What a thread waits for, told by the kernel function that it sleeps in (its wait channel), or by
//! its system call where the wait channel is not shown.
//!
//! A wait channel is the first function below the scheduler on the stack of a sleeping thread.
//! Names change between kernels, so a row is a prefix and its meaning; a thread that cannot be
//! interrupted and is nowhere in the table counts as waiting for a disk, which is what such a sleep
//! mostly is.
//! Sources: Linux `fs/proc/base.c` (`proc_pid_wchan`, `proc_pid_syscall`), `kernel/futex/`,
//! `net/core/sock.c`, `mm/filemap.c`; checked on Linux 6.18. Not every kernel shows both files to
//! every user (`ptrace(2)`, "access mode checking").

use nearside_units::Duration;

/// What a sleeping thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitClass {
    /// Another thread: a lock, a condition, a join (`futex`).
    Futex,
    /// A disk or a network file system: reading, writing, syncing.
    Disk,
    /// A page of memory: a fault on a mapped file, swap, reclaim.
    Page,
    /// A socket of the internet.
    Network,
    /// A socket to another program on this machine, or whoever calls a listening one.
    LocalSocket,
    /// A time: sleep.
    Timer,
    /// A pipe or a terminal.
    Pipe,
    /// Any of several events (`epoll`, `poll`, `select`, `io_uring`), not known which.
    Poll,
    /// The end of a child.
    Child,
    /// An accelerator's driver.
    Accelerator,
    /// Anything else, by the kernel's word.
    Other,
    /// It slept, and what for is not visible.
    NotVisible,
}

impl WaitClass {
    /// Every class, in the order of [`Waits`].
    pub const ALL: [Self; 12] = [
        Self::Futex,
        Self::Disk,
        Self::Page,
        Self::Network,
        Self::LocalSocket,
        Self::Timer,
        Self::Pipe,
        Self::Poll,
        Self::Child,
        Self::Accelerator,
        Self::Other,
        Self::NotVisible,
    ];

    /// In words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Futex => "lock or another thread",
            Self::Disk => "disk",
            Self::Page => "page of memory",
            Self::Network => "network",
            Self::LocalSocket => "local socket",
            Self::Timer => "timer",
            Self::Pipe => "pipe or terminal",
            Self::Poll => "events (poll)",
            Self::Child => "child process",
            Self::Accelerator => "accelerator",
            Self::Other => "other",
            Self::NotVisible => "not visible",
        }
    }
}

/// Beginnings of wait channels and what they mean; the first that fits counts.
const CHANNELS: &[(&str, WaitClass)] = &[
    ("futex_", WaitClass::Futex),
    ("__futex_", WaitClass::Futex),
    ("do_futex", WaitClass::Futex),
    ("rt_mutex_", WaitClass::Futex),
    ("hrtimer_nanosleep", WaitClass::Timer),
    ("do_nanosleep", WaitClass::Timer),
    ("common_nsleep", WaitClass::Timer),
    ("msleep", WaitClass::Timer),
    ("schedule_timeout", WaitClass::Timer),
    ("sk_", WaitClass::Network),
    ("inet_csk_accept", WaitClass::LocalSocket),
    ("inet_", WaitClass::Network),
    ("tcp_", WaitClass::Network),
    ("udp_", WaitClass::Network),
    ("unix_", WaitClass::LocalSocket),
    ("sock_", WaitClass::Network),
    ("__sock_", WaitClass::Network),
    ("__skb_wait", WaitClass::Network),
    ("wait_woken", WaitClass::Network),
    ("vsock_", WaitClass::Network),
    ("smc_", WaitClass::Network),
    ("ib_", WaitClass::Network),
    ("pipe_", WaitClass::Pipe),
    ("anon_pipe_", WaitClass::Pipe),
    ("wait_for_partner", WaitClass::Pipe),
    ("n_tty_", WaitClass::Pipe),
    ("tty_", WaitClass::Pipe),
    ("eventfd_", WaitClass::Pipe),
    ("ep_poll", WaitClass::Poll),
    ("do_epoll_wait", WaitClass::Poll),
    ("do_poll", WaitClass::Poll),
    ("do_sys_poll", WaitClass::Poll),
    ("poll_schedule_timeout", WaitClass::Poll),
    ("do_select", WaitClass::Poll),
    ("core_sys_select", WaitClass::Poll),
    ("io_cqring_wait", WaitClass::Poll),
    ("do_wait", WaitClass::Child),
    // vfork: until the child has become another program; not to be interrupted, and no disk.
    ("kernel_clone", WaitClass::Child),
    ("wait_for_vfork", WaitClass::Child),
    ("_do_fork", WaitClass::Child),
    ("do_fork", WaitClass::Child),
    ("kernel_wait", WaitClass::Child),
    ("swap", WaitClass::Page),
    ("do_swap_page", WaitClass::Page),
    ("filemap_fault", WaitClass::Page),
    ("handle_userfault", WaitClass::Page),
    ("shrink_", WaitClass::Page),
    ("try_to_free", WaitClass::Page),
    ("reclaim_throttle", WaitClass::Page),
    ("throttle_direct_reclaim", WaitClass::Page),
    ("mem_cgroup_", WaitClass::Page),
    ("migration_entry_wait", WaitClass::Page),
    ("__alloc_pages", WaitClass::Page),
    ("io_schedule", WaitClass::Disk),
    ("folio_wait", WaitClass::Disk),
    ("folio_lock", WaitClass::Disk),
    ("__folio_lock", WaitClass::Disk),
    ("wait_on_page", WaitClass::Disk),
    ("__lock_page", WaitClass::Disk),
    ("filemap_", WaitClass::Disk),
    ("__filemap_", WaitClass::Disk),
    ("blk_", WaitClass::Disk),
    ("blkdev_", WaitClass::Disk),
    ("__blkdev_", WaitClass::Disk),
    ("bio_", WaitClass::Disk),
    ("submit_bio", WaitClass::Disk),
    ("dio_", WaitClass::Disk),
    ("do_blockdev_direct_IO", WaitClass::Disk),
    ("__iomap_dio", WaitClass::Disk),
    ("iomap_", WaitClass::Disk),
    ("wait_on_buffer", WaitClass::Disk),
    ("__wait_on_buffer", WaitClass::Disk),
    ("rq_qos_wait", WaitClass::Disk),
    ("wbt_wait", WaitClass::Disk),
    ("balance_dirty_pages", WaitClass::Disk),
    ("read_events", WaitClass::Disk),
    ("do_io_getevents", WaitClass::Disk),
    ("ext4_", WaitClass::Disk),
    ("jbd2_", WaitClass::Disk),
    ("xfs_", WaitClass::Disk),
    ("xlog_", WaitClass::Disk),
    ("btrfs_", WaitClass::Disk),
    ("wait_current_trans", WaitClass::Disk),
    ("zil_", WaitClass::Disk),
    ("nfs_", WaitClass::Disk),
    ("rpc_wait", WaitClass::Disk),
    ("request_wait_answer", WaitClass::Disk),
    ("p9_client_rpc", WaitClass::Disk),
    ("cifs_", WaitClass::Disk),
    ("ceph_", WaitClass::Disk),
    ("nv_", WaitClass::Accelerator),
    ("_nv", WaitClass::Accelerator),
    ("nvidia_", WaitClass::Accelerator),
    ("os_acquire", WaitClass::Accelerator),
    ("uvm_", WaitClass::Accelerator),
    ("amdgpu_", WaitClass::Accelerator),
    ("kfd_", WaitClass::Accelerator),
    ("drm_", WaitClass::Accelerator),
    ("dma_fence_", WaitClass::Accelerator),
];

/// What a wait channel means; none when the table has no such name.
pub(crate) fn of_channel(symbol: &[u8]) -> Option<WaitClass> {
    CHANNELS
        .iter()
        .find(|(prefix, _)| symbol.starts_with(prefix.as_bytes()))
        .map(|(_, class)| *class)
}

/// A thread that sleeps outside of any system call is in a page fault; `syscall` then begins with
/// -1.
pub(crate) fn in_page_fault(syscall: &[u8]) -> bool {
    syscall.starts_with(b"-1 ")
}

/// Numbers of system calls that say by themselves what is waited for.
///
/// Sources: Linux `arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`.
const CALLS: &[(u64, WaitClass)] = if cfg!(target_arch = "x86_64") {
    &[
        (202, WaitClass::Futex),
        (449, WaitClass::Futex),
        (35, WaitClass::Timer),
        (230, WaitClass::Timer),
        (42, WaitClass::Network),
        (43, WaitClass::Network),
        (44, WaitClass::Network),
        (45, WaitClass::Network),
        (46, WaitClass::Network),
        (47, WaitClass::Network),
        (288, WaitClass::Network),
        (7, WaitClass::Poll),
        (23, WaitClass::Poll),
        (232, WaitClass::Poll),
        (270, WaitClass::Poll),
        (271, WaitClass::Poll),
        (281, WaitClass::Poll),
        (426, WaitClass::Poll),
        (61, WaitClass::Child),
        (247, WaitClass::Child),
        (74, WaitClass::Disk),
        (75, WaitClass::Disk),
    ]
} else if cfg!(target_arch = "aarch64") {
    &[
        (98, WaitClass::Futex),
        (449, WaitClass::Futex),
        (101, WaitClass::Timer),
        (115, WaitClass::Timer),
        (202, WaitClass::Network),
        (203, WaitClass::Network),
        (206, WaitClass::Network),
        (207, WaitClass::Network),
        (211, WaitClass::Network),
        (212, WaitClass::Network),
        (242, WaitClass::Network),
        (72, WaitClass::Poll),
        (73, WaitClass::Poll),
        (22, WaitClass::Poll),
        (426, WaitClass::Poll),
        (95, WaitClass::Child),
        (260, WaitClass::Child),
        (82, WaitClass::Disk),
        (83, WaitClass::Disk),
    ]
} else {
    &[]
};

/// What a system call waits for, as far as its number tells; reading and writing may mean anything.
pub(crate) fn of_syscall(syscall: &[u8]) -> WaitClass {
    if in_page_fault(syscall) {
        return WaitClass::Page;
    }
    let number = super::parse::number(syscall);
    let known = CALLS.iter().find(|(call, _)| Some(*call) == number);
    known.map_or(WaitClass::NotVisible, |(_, class)| *class)
}

/// Time that threads slept, by what they waited for; several threads add up.
///
/// The time is exact; which class it goes to is sampled: what a thread slept between two looks is
/// put down to what it was seen waiting for at the next look that found it asleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits([u64; WaitClass::ALL.len()]);

impl Waits {
    /// Time that went to one class.
    #[must_use]
    pub fn of(&self, class: WaitClass) -> Duration {
        super::seconds(self.0[class as usize])
    }

    /// Time slept in all.
    #[must_use]
    pub fn total(&self) -> Duration {
        super::seconds(self.0.iter().sum())
    }

    pub(crate) fn add(&mut self, class: WaitClass, nanoseconds: u64) {
        self.0[class as usize] += nanoseconds;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_several_kernels() {
        let check = |symbol: &str, expect| {
            assert_eq!(of_channel(symbol.as_bytes()), expect, "{symbol}");
        };
        check("futex_wait_queue_me", Some(WaitClass::Futex));
        check("__futex_wait", Some(WaitClass::Futex));
        check("futex_do_wait", Some(WaitClass::Futex));
        check("hrtimer_nanosleep", Some(WaitClass::Timer));
        check("folio_wait_bit_common", Some(WaitClass::Disk));
        check("wait_woken", Some(WaitClass::Network));
        check("unix_stream_read_generic", Some(WaitClass::LocalSocket));
        check("inet_csk_accept", Some(WaitClass::LocalSocket));
        check("anon_pipe_read", Some(WaitClass::Pipe));
        check("ep_poll", Some(WaitClass::Poll));
        check("do_wait", Some(WaitClass::Child));
        check("kernel_clone", Some(WaitClass::Child));
        check("ptrace_stop", None);
        check("0", None);
    }

    #[test]
    fn a_sleep_outside_of_system_calls_is_a_page_fault() {
        assert_eq!(of_syscall(b"-1 0x7ffe 0x5555\n"), WaitClass::Page);
        assert_eq!(of_syscall(b"0 0x3 0x7f 0x2 0x0 0x0 0x0 0x7f 0x7f\n"), WaitClass::NotVisible);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(of_syscall(b"202 0x1 0x80\n"), WaitClass::Futex);
        }
    }

    #[test]
    fn classes_are_in_the_order_of_their_places() {
        for (at, class) in WaitClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
            let mut waits = Waits::default();
            waits.add(class, 1_500_000_000);
            assert_eq!(waits.of(class), Duration::constant(1.5));
            assert_eq!(waits.total(), Duration::constant(1.5));
        }
    }
}
