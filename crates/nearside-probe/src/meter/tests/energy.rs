//! Energy and accelerators of made-up machines.

use super::*;

/// A domain of RAPL.
fn domain(machine: &Machine, folder: &str, name: &str, microjoules: u64) {
    let folder = format!("sys/class/powercap/{folder}");
    machine.write(&format!("{folder}/name"), &format!("{name}\n"));
    machine.write(&format!("{folder}/energy_uj"), &format!("{microjoules}\n"));
    machine.write(&format!("{folder}/max_energy_range_uj"), "262143328850\n");
}

#[test]
fn counters_of_energy_wrap_and_twins_count_once() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.write("proc/stat", "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n");
    let state = |package: u64, memory: u64| {
        domain(&machine, "intel-rapl:0", "package-0", package);
        domain(&machine, "intel-rapl:0:0", "core", package / 2);
        domain(&machine, "intel-rapl:0:1", "dram", memory);
        // The same counter, once per die.
        domain(&machine, "intel-rapl:1", "package-0-die-1", package + 1000);
    };
    state(262_143_328_850 - 10_000_000, 1_000_000);
    let mut settings = quiet();
    let idle = Span::exact(Watts::constant(10.0));
    settings.power.processor =
        Known::Value(LoadPower { idle, full: Span::exact(Watts::constant(90.0)) });
    let mut meter = machine.meter_with(&Subject::Spawned(100), &settings);
    state(30_000_000, 3_000_000);
    // Half of the two processors busy for a second, a quarter of it for the work.
    machine.write("proc/stat", "cpu0 100 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n");
    machine.process(100, 1, Used { ticks: 25, ..Used::default() });
    meter.look(Time::from_secs(1));
    let power = &meter.latest().power;
    assert_eq!(power.len(), 2, "{power:?}");
    assert_eq!(power[0].energy, Joules::constant(40.0));
    assert_eq!(power[0].power, Some(Watts::constant(40.0)));
    let energy = meter.stop(Time::from_secs(1)).energy;
    let processor = energy.parts.iter().find(|part| part.part == Part::Processor).unwrap();
    assert_eq!(processor.method, Method::Measured);
    // (40 J - 10 W x 1 s) x 1/4, and all of the idling.
    let marginal = processor.marginal.clone().value().unwrap();
    assert_eq!(marginal.likely(), Joules::constant(7.5));
    assert_eq!(processor.loaded.likely(), Joules::constant(17.5));
    assert!(processor.machine.low() < Joules::constant(40.0));
    let memory = energy.parts.iter().find(|part| part.part == Part::Memory).unwrap();
    assert_eq!(memory.machine.likely(), Joules::constant(2.0));
    assert!(memory.marginal.why().is_some(), "idle power of the memory was not given");
    assert!(energy.machine.missing.iter().all(|why| why.starts_with("rest: ")), "{energy:?}");
}

#[test]
fn power_that_is_shown_is_sampled_and_the_rest_is_what_parts_leave_of_it() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.write("proc/stat", "cpu0 0 0 0 0 0 0 0 0\n");
    let monitor = "sys/class/hwmon/hwmon3";
    machine.write(&format!("{monitor}/name"), "power_meter\n");
    machine.write(&format!("{monitor}/power1_average"), "100000000\n");
    domain(&machine, "intel-rapl:0", "package-0", 5_000_000);
    let supply = "sys/class/power_supply/BAT0";
    machine.write(&format!("{supply}/type"), "Battery\n");
    machine.write(&format!("{supply}/status"), "Discharging\n");
    machine.write(&format!("{supply}/power_now"), "9000000\n");
    let mut meter = machine.meter(&Subject::Spawned(100));
    machine.write(&format!("{monitor}/power1_average"), "200000000\n");
    domain(&machine, "intel-rapl:0", "package-0", 95_000_000);
    meter.look(Time::from_secs(1));
    let energy = meter.stop(Time::from_secs(1)).energy;
    let rest = energy.parts.iter().find(|part| part.part == Part::Rest).unwrap();
    // 150 W for a second, less 90 J of the package; the battery would say it twice.
    assert_eq!(rest.method, Method::Sampled);
    assert_eq!(rest.machine.likely(), Joules::constant(60.0));
    assert_eq!(energy.machine.total.likely(), Joules::constant(150.0));
}

#[test]
fn a_battery_tells_the_power_of_a_machine_that_it_carries() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let supply = "sys/class/power_supply/BAT0";
    machine.write(&format!("{supply}/type"), "Battery\n");
    machine.write(&format!("{supply}/status"), "Discharging\n");
    machine.write(&format!("{supply}/current_now"), "2000000\n");
    machine.write(&format!("{supply}/voltage_now"), "12000000\n");
    let mut meter = machine.meter(&Subject::Spawned(100));
    for look in 1..=3 {
        meter.look(Time::from_secs(look * 10));
    }
    assert_eq!(meter.latest().power[0].energy, Joules::constant(720.0));
    machine.write(&format!("{supply}/status"), "Charging\n");
    meter.look(Time::from_secs(40));
    assert_eq!(meter.latest().power[0].power, None);
    let energy = meter.stop(Time::from_secs(40)).energy;
    let why = energy.machine.missing.join("; ");
    assert!(why.contains("battery BAT0: it told nothing for 10 s of 40 s"), "{why}");
}

#[test]
fn a_model_says_that_it_is_one_and_why() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    machine.write("proc/stat", "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n");
    let mut settings = quiet();
    settings.power.processor = Known::Value(LoadPower::of_tdp(Watts::constant(100.0)));
    let mut meter = machine.meter_with(&Subject::Spawned(100), &settings);
    machine.write("proc/stat", "cpu0 200 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n");
    machine.process(100, 1, Used { ticks: 200, ..Used::default() });
    meter.look(Time::from_secs(2));
    let energy = meter.stop(Time::from_secs(2)).energy;
    let processor = &energy.parts[0];
    assert_eq!(processor.method, Method::Modelled);
    assert!(processor.instead_of.as_deref().unwrap().contains("no energy counters"));
    // 12.5 W x 2 s + 87.5 W x half x 2 s.
    assert_eq!(processor.machine.likely(), Joules::constant(112.5));
    assert_eq!(processor.marginal.clone().value().unwrap().likely(), Joules::constant(87.5));
    assert!(!energy.machine.is_complete(), "memory and the rest are missing");
}

/// A driver's recorded answers: one block per reading, one line per question.
struct Recorded {
    blocks: std::vec::IntoIter<String>,
}

impl AcceleratorCounters for Recorded {
    fn names(&self) -> Vec<Arc<str>> {
        vec!["recorded".into()]
    }

    fn read(&mut self, _device: usize) -> AcceleratorReading {
        let block = self.blocks.next().unwrap_or_default();
        let text = |key: &str| {
            let lines = block.lines().filter(|line| !line.starts_with('#'));
            let value = lines.filter_map(|line| line.split_once(' ')).find(|line| line.0 == key);
            match value.map(|(_, value)| value.trim().to_owned()) {
                Some(value) if value != "NOT_SUPPORTED" => Known::Value(value),
                _ => Known::unknown(format!("NVML, {key}: not supported")),
            }
        };
        let number = |key| text(key).map(|value| value.parse::<f64>().unwrap());
        let bytes = |key| number(key).map(|bytes| Bytes::new(bytes as u64));
        let clock = |key| number(key).map(|clock| Megahertz(clock as u32));
        let process = |line: &str| {
            let mut fields = line.split(',').map(|field| field.parse::<u64>().unwrap());
            let mut next = || fields.next().unwrap();
            AcceleratorProcess {
                process: next() as u32,
                memory: Known::Value(Bytes::mib(next())),
                busy: Known::Value(next() as f64 / 100.0),
            }
        };
        AcceleratorReading {
            energy: number("energy_mj").map(|energy| Joules::constant(energy / 1e3)),
            power: number("power_mw").map(|power| Watts::constant(power / 1e3)),
            busy: number("utilization_gpu").map(|percent| percent / 100.0),
            memory_busy: number("utilization_memory").map(|percent| percent / 100.0),
            memory_used: bytes("memory_used"),
            memory_total: bytes("memory_total"),
            clock: clock("clock_sm"),
            clock_limit: clock("clock_sm_max"),
            throttle: text("clocks_event_reasons").map(|reasons| {
                let digits = reasons.trim_start_matches("0x");
                ThrottleReasons(u64::from_str_radix(digits, 16).unwrap())
            }),
            pcie_received: bytes("pcie_rx_bytes"),
            pcie_sent: bytes("pcie_tx_bytes"),
            processes: text("processes").map(|list| list.split(' ').map(process).collect()),
        }
    }
}

fn recorded(name: &str) -> Result<Box<dyn AcceleratorCounters>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/meter");
    let text = fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
    let blocks: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
    Ok(Box::new(Recorded { blocks: blocks.into_iter() }))
}

/// A run of a few seconds with a recorded accelerator.
fn with_accelerator(open: OpenAccelerators, seconds: u64) -> Measured {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let mut settings = Settings { accelerators: Some(open), ..quiet() };
    settings.power.accelerator_idle = Known::Value(Span::exact(Watts::constant(50.0)));
    let mut meter = machine.meter_with(&Subject::Spawned(100), &settings);
    let begin = Instant::now();
    // It is opened on a thread of its own; the first look after that is the first reading.
    while meter.latest().accelerators.is_empty() && begin.elapsed() < Time::from_secs(10) {
        std::thread::sleep(milliseconds(1));
        meter.look(Time::ZERO);
    }
    for second in 1..seconds {
        meter.look(Time::from_secs(second));
    }
    meter.stop(Time::from_secs(seconds))
}

#[test]
fn an_accelerator_is_counted_and_split_by_busy_time() {
    let measured = with_accelerator(|| recorded("nvml-shared.txt"), 4);
    let device = &measured.last.accelerators[0];
    assert_eq!(device.method, Method::Measured);
    assert_eq!(device.energy, Known::Value(Joules::constant(1000.0)));
    assert_eq!(device.busy, Known::Value(Duration::constant(3.0)));
    assert_eq!(device.peak_memory, Known::Value(Bytes::new(60_000_000_000)));
    assert_eq!(device.peak_work_memory, Known::Value(Bytes::mib(50_000)));
    let throttled = device.throttled.clone().value().unwrap();
    assert_eq!(throttled.power_limit, Duration::constant(2.0));
    assert_eq!((throttled.heat, throttled.power_brake), (Duration::constant(1.0), Duration::ZERO));
    assert_eq!(device.pcie, Known::Value((Bytes::new(4_000_000), Bytes::new(400_000))));
    assert_eq!(device.clock, Known::Value(Megahertz(1700)));
    let part = measured.energy.parts.iter().find(|part| part.part == Part::Accelerator).unwrap();
    // 1000 J, 200 J of it idling; the work had three quarters of the busy time.
    assert_eq!(part.marginal.clone().value().unwrap().likely(), Joules::constant(600.0));
    assert_eq!(part.loaded.likely(), Joules::constant(800.0));
}

#[test]
fn over_a_short_time_sampled_power_is_believed() {
    let measured = with_accelerator(|| recorded("nvml-shared.txt"), 1);
    let device = &measured.last.accelerators[0];
    assert_eq!(device.method, Method::Sampled);
    assert_eq!(device.energy, Known::Value(Joules::constant(200.0)));
}

#[test]
fn an_old_accelerator_has_power_only_and_shows_no_processes() {
    let measured = with_accelerator(|| recorded("nvml-old.txt"), 3);
    let device = &measured.last.accelerators[0];
    assert_eq!(device.method, Method::Sampled);
    assert_eq!(device.energy, Known::Value(Joules::constant(450.0)));
    assert_eq!(
        device.throttled.clone().map(|_| ()).why(),
        Some("NVML, clocks_event_reasons: not supported")
    );
    let part = measured.energy.parts.iter().find(|part| part.part == Part::Accelerator).unwrap();
    assert_eq!(part.marginal.why(), Some("NVML, processes: not supported"));
    assert!(part.loaded.low() < part.loaded.likely());
}

#[test]
fn a_driver_that_is_not_there_is_a_note() {
    let measured = with_accelerator_missing();
    assert!(measured.last.accelerators.is_empty());
    assert!(measured.notes.iter().any(|note| &**note == "no driver"), "{:?}", measured.notes);
}

fn with_accelerator_missing() -> Measured {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let settings = Settings { accelerators: Some(|| Err("no driver".to_owned())), ..quiet() };
    let mut meter = machine.meter_with(&Subject::Spawned(100), &settings);
    for look in 1..50 {
        std::thread::sleep(milliseconds(2));
        meter.look(milliseconds(look));
    }
    meter.stop(milliseconds(100))
}

#[test]
fn kept_samples_are_bounded_and_reach_from_start_to_end() {
    let machine = Machine::new();
    machine.process(100, 1, Used::default());
    let mut meter =
        machine.meter_with(&Subject::Spawned(100), &Settings { most_samples: 16, ..quiet() });
    for look in 1..=1000 {
        meter.look(milliseconds(look * 100));
    }
    let measured = meter.stop(milliseconds(100_100));
    assert!((8..=16).contains(&measured.samples.len()), "{}", measured.samples.len());
    assert_eq!(measured.looks_per_sample, 64);
    assert_eq!(measured.samples.last().unwrap().at, measured.wall);
    assert!(measured.samples.is_sorted_by(|one, next| one.at < next.at));
    assert_eq!(measured.looks, 1002);
}
