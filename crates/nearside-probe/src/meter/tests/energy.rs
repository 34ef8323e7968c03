//! Energy by counters, by sensors and by models, and whose it is.

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
    let so_far = meter.so_far().energy.expect("a step was taken");
    let energy = meter.stop(Time::from_secs(1)).energy;
    assert_eq!(*so_far, energy);
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
