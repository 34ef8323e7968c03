//! Accelerators with a driver's recorded answers.

use super::*;

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
