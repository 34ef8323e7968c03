//! What processes, threads and the machine used, found and added up.

use super::*;

#[test]
fn a_spawned_process_counts_from_its_birth_and_a_running_one_from_now() {
    let machine = Machine::new();
    machine.process(100, 1, Used { ticks: 300, ..Used::default() });
    assert_eq!(cpu(machine.meter(&Subject::Spawned(100)).latest()), Duration::constant(3.0));
    let mut running = machine.meter(&Subject::Running(100));
    assert_eq!(cpu(running.latest()), Duration::constant(0.0));
    machine.process(100, 1, Used { ticks: 350, ..Used::default() });
    running.look(milliseconds(100));
    assert_eq!(cpu(running.latest()), Duration::constant(0.5));
}

#[test]
fn children_are_found_by_the_last_number_given() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.process(90, 1, Used { ticks: 999, ..Used::default() });
    let mut meter = machine.meter(&Subject::Spawned(100));
    machine.process(101, 100, Used { ticks: 10, ..Used::default() });
    machine.process(102, 101, Used { ticks: 20, ..Used::default() });
    machine.process(103, 1, Used { ticks: 999, ..Used::default() });
    meter.look(milliseconds(100));
    assert_eq!(meter.latest().work.processes, 1, "no number was given yet");
    machine.last(103);
    meter.look(milliseconds(200));
    assert_eq!(meter.latest().work.processes, 3);
    assert_eq!(cpu(meter.latest()), Duration::constant(0.3));
}

#[test]
fn a_child_that_lived_between_two_looks_is_in_what_its_parent_waited_for() {
    let machine = Machine::new();
    machine.process(100, 1, Used { ticks: 10, ..Used::default() });
    let mut meter = machine.meter(&Subject::Spawned(100));
    let used = Used { ticks: 10, waited_ticks: 200, faults: 5, waited_faults: 70 };
    machine.process(100, 1, used);
    machine.io(100, 4096);
    meter.look(milliseconds(100));
    assert_eq!(cpu(meter.latest()), Duration::constant(2.1));
    let bytes = meter.latest().work.bytes.clone().value().unwrap();
    assert_eq!((bytes.disk_read, bytes.read), (Bytes::new(4096), Bytes::new(8192)));
}

#[test]
fn what_a_parent_takes_over_is_not_counted_twice() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.process(101, 100, Used { ticks: 50, faults: 30, ..Used::default() });
    machine.last(101);
    machine.io(101, 1000);
    let mut meter = machine.meter(&Subject::Spawned(100));
    assert_eq!(cpu(meter.latest()), Duration::constant(0.5));
    // The child runs on for 0.2 s unseen, ends, and its parent waits for it.
    machine.end(101);
    machine.process(100, 1, Used { waited_ticks: 70, waited_faults: 40, ..Used::default() });
    machine.io(100, 1500);
    let mut at = 0;
    for _ in 0..6 {
        at += 100;
        meter.look(milliseconds(at));
    }
    assert_eq!(meter.latest().work.processes, 1);
    assert_eq!(cpu(meter.latest()), Duration::constant(0.7));
    let bytes = meter.latest().work.bytes.clone().value().unwrap();
    assert_eq!(bytes.disk_read, Bytes::new(1500));
}

#[test]
fn a_child_that_nobody_waits_for_keeps_its_time() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.process(101, 100, Used { ticks: 50, faults: 30, ..Used::default() });
    machine.last(101);
    let mut meter = machine.meter(&Subject::Spawned(100));
    machine.end(101);
    for look in 1..=6 {
        meter.look(milliseconds(look * 100));
    }
    assert_eq!(cpu(meter.latest()), Duration::constant(0.5));
    machine.process(100, 1, Used { ticks: 10, ..Used::default() });
    for look in 7..=12 {
        meter.look(milliseconds(look * 100));
    }
    assert_eq!(
        cpu(meter.latest()),
        Duration::constant(0.6),
        "its parent's own time is not swallowed"
    );
}

#[test]
fn a_whole_branch_that_ends_at_once_counts_once() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.process(101, 100, Used { ticks: 10, faults: 30, ..Used::default() });
    machine.process(102, 101, Used { ticks: 50, faults: 20, ..Used::default() });
    machine.last(102);
    let mut meter = machine.meter(&Subject::Spawned(100));
    machine.end(101);
    machine.end(102);
    let used = Used { waited_ticks: 60, waited_faults: 50, ..Used::default() };
    machine.process(100, 1, used);
    for look in 1..=8 {
        meter.look(milliseconds(look * 100));
        assert_eq!(cpu(meter.latest()), Duration::constant(0.6), "look {look}");
    }
}

#[test]
fn time_is_on_queued_or_asleep_for_something() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let mut meter = machine.meter(&Subject::Spawned(100));
    let second = 1_000_000_000;
    machine.thread(100, 100, (second / 4, second / 4, 10), "futex_do_wait");
    meter.look(Time::from_secs(1));
    machine.thread(100, 100, (second / 4, second / 4, 10), "futex_do_wait");
    meter.look(Time::from_secs(2));
    machine.thread(100, 100, (second / 4 + 1, second / 4, 11), "folio_wait_bit_common");
    machine.write("proc/100/task/100/syscall", "-1 0x7ffe 0x7ffe\n");
    // The last look reads what stood still, too.
    let measured = meter.stop(Time::from_secs(3));
    let scheduling = measured.last.work.scheduling.clone().value().unwrap();
    assert_eq!(scheduling.queued, Duration::constant(0.25));
    assert_eq!(scheduling.slices, 11);
    let waits = scheduling.waits;
    // Half of the first second, and the second one.
    assert_eq!(waits.of(WaitClass::Futex), Duration::constant(1.5));
    assert!((waits.of(WaitClass::Page).as_seconds() - 1.0).abs() < 1e-6);
    assert_eq!(scheduling.blocked, 1);
    let main = &measured.threads[0];
    assert!(main.is_main);
    assert_eq!((main.voluntary_switches, main.name.as_str()), (5, "made up"));
}

#[test]
fn a_kernel_that_shows_no_wait_channels_hides_no_threads() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    fs::remove_file(machine.root.join("proc/100/task/100/wchan")).unwrap();
    let mut meter = machine.meter(&Subject::Spawned(100));
    machine.write("proc/100/task/100/syscall", "-1 0x7ffe 0x7ffe\n");
    meter.look(Time::from_secs(1));
    let measured = meter.stop(Time::from_secs(2));
    assert_eq!(measured.last.work.threads, 1);
    assert_eq!(measured.waited_for(WaitClass::Page), Known::Value(Duration::constant(2.0)));
    let note = "what threads wait for: /proc/100/task/100/wchan: not there";
    assert_eq!(&*measured.notes[0], note);
}

#[test]
fn means_are_threads_over_time() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let mut meter = machine.meter(&Subject::Spawned(100));
    let before = meter.latest().clone();
    machine.process(100, 1, Used { ticks: 100, ..Used::default() });
    machine.io(100, 5000);
    machine.thread(100, 100, (1_000_000_000, 500_000_000, 10), "futex_do_wait");
    meter.look(Time::from_secs(2));
    let means = Means::between(&before, meter.latest()).unwrap();
    assert_eq!(means.time, Duration::constant(2.0));
    let quarter = |threads: Known<f64>| (threads.value().unwrap() * 4.0).round() as u32;
    assert_eq!(quarter(means.running), 2);
    assert_eq!(quarter(means.queued), 1);
    assert_eq!(quarter(means.asleep.map(|asleep| asleep[WaitClass::Futex as usize])), 1);
    assert_eq!(quarter(means.blocked), 0);
    let read = means.disk_read.value().unwrap().unwrap();
    assert_eq!(read.to_string(), "2.50 kB/s");
    assert_eq!(means.disk_written, Known::Value(None));
    assert!(Means::between(meter.latest(), &before).is_none());
}

#[test]
fn pressure_processors_and_network_count_from_the_start() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let pressure = |some: u64| {
        for resource in ["cpu", "memory", "io"] {
            let text = format!("some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\n");
            machine.write(&format!("proc/pressure/{resource}"), &text);
        }
    };
    let rest = |busy: u64, received: u64, swapped: u64| {
        let stat = format!("cpu  9 0 0 0\ncpu0 {busy} 0 0 500 0 0 0 3 0 0\ncpu1 7 0 0 1 0 0 0 0\n");
        machine.write("proc/stat", &stat);
        let line = format!("eth0: {received} 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n");
        machine.write("proc/100/net/dev", &format!("head\nhead\n{line}"));
        machine.write("proc/vmstat", &format!("pswpin {swapped}\npswpout 4\npgmajfault 9\n"));
        machine.write("proc/meminfo", "MemAvailable:    1024 kB\n");
    };
    pressure(1_000_000);
    rest(100, 1000, 5);
    let cpu0 = "sys/devices/system/cpu/cpu0";
    machine.write(&format!("{cpu0}/cpufreq/scaling_cur_freq"), "3100000\n");
    machine.write(&format!("{cpu0}/thermal_throttle/core_throttle_count"), "7\n");
    let mut meter = machine.meter(&Subject::Spawned(100));
    pressure(3_500_000);
    rest(150, 5000, 6);
    machine.write(&format!("{cpu0}/thermal_throttle/core_throttle_count"), "9\n");
    meter.look(Time::from_secs(1));
    let sample = &meter.latest().machine;
    let cpu = sample.pressure.cpu.clone().value().unwrap();
    assert_eq!((cpu.some, cpu.full), (Duration::constant(2.5), None));
    let cores = sample.cores.clone().value().unwrap();
    assert_eq!(cores[0].busy, Duration::constant(0.5));
    assert_eq!(cores[0].clock, Some(Megahertz(3100)));
    assert_eq!((cores[1].busy, cores[1].clock), (Duration::ZERO, None));
    let network = sample.network.clone().value().unwrap();
    assert_eq!((network.received, network.sent), (Bytes::new(4000), Bytes::ZERO));
    assert_eq!(network.scope, NetworkScope::Machine);
    assert_eq!(sample.paging.clone().value().unwrap().swapped_in, 1);
    assert_eq!(sample.memory_available, Known::Value(Bytes::mib(1)));
    assert_eq!(sample.thermal_throttles, Known::Value(2));
}

#[test]
fn what_is_not_there_says_so() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    fs::remove_file(machine.root.join("proc/100/schedstat")).unwrap();
    fs::remove_file(machine.root.join("proc/100/io")).unwrap();
    let meter = machine.meter(&Subject::Spawned(100));
    let sample = meter.latest().clone();
    assert_eq!(sample.work.scheduling.why(), Some("/proc/100/schedstat: not there"));
    assert_eq!(sample.work.bytes.why(), Some("/proc/100/io: not there"));
    assert_eq!(sample.machine.pressure.io.why(), Some("/proc/pressure/io: not there"));
    assert!(sample.work.limits.throttled.why().is_some());
    let measured = meter.stop(Time::from_secs(1));
    assert!(!measured.energy.machine.is_complete());
    let missing = measured.energy.machine.missing.join("; ");
    assert!(missing.contains("/sys/class/powercap: no energy counters"), "{missing}");
}

#[test]
fn without_processes_to_see_the_meter_still_answers() {
    let root = std::env::temp_dir().join(format!("nearside-meter-none-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    let mut meter = Sampler::begin(&root, &Subject::Spawned(1), &quiet()).unwrap();
    meter.look(Time::from_secs(1));
    let measured = meter.stop(Time::from_secs(2));
    fs::remove_dir(&root).unwrap();
    assert_eq!(measured.wall, Duration::constant(2.0));
    assert!(measured.cpu_on.why().unwrap().contains("/proc: not there"));
    assert!(measured.peak_memory.why().is_some());
}

#[test]
fn nobody_is_an_error() {
    let machine = Machine::new();
    let refused = |subject: &Subject| {
        Sampler::begin(&machine.root, subject, &quiet()).err().unwrap().to_string()
    };
    assert_eq!(refused(&Subject::Spawned(7)), "cannot measure process 7: not there");
    let group = refused(&Subject::Group("sys/fs/cgroup/jobs".to_owned()));
    assert!(group.starts_with("cannot measure control group /sys/fs/cgroup/jobs: "), "{group}");
}
