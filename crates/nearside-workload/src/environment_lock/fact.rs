//! What each part of an environment can change. This is the one place that decides it: keys of results
//! and comparisons of machines follow.

use std::collections::BTreeMap;

use nearside_units::Known;

use super::{Accelerator, EnvironmentLock, Origin, Package, Processor, Python, System, variable};

/// What a difference can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// What comes out, be it in the last bits.
    Result,
    /// How long it takes or whether there is room for it.
    Speed,
    /// Nothing that a stage would see.
    Nothing,
}

/// One part of an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What it is, as in `package numpy`.
    pub name: String,
    /// How it is here, in words.
    pub value: Known<String>,
    /// What it can change.
    pub effect: Effect,
    /// How.
    pub why: &'static str,
}

/// The value of a fact that stands for a part that is not there.
pub(super) const ABSENT: &str = "none";

const LAST_BITS: &str = "bit-level: libraries choose their kernels by it, which changes last bits";
const VERSION: &str = "another version is another program";

impl EnvironmentLock {
    /// Every part, the most telling first.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = python(&self.python);
        facts.extend(system(&self.system));
        facts.extend(processor(&self.processor));
        facts.push(threads(self));
        facts.extend(accelerators(&self.accelerators));
        facts.extend(set(&self.variables));
        facts
    }

    /// The parts that can change a result, and no others: what a key of a result has to hold. Main
    /// memory, drivers and the names of systems are not among them; versions are.
    #[must_use]
    pub fn decisive(&self) -> Vec<Fact> {
        let mut facts = self.facts();
        facts.retain(|fact| fact.effect == Effect::Result);
        facts
    }
}

fn fact(name: &str, value: &Known<String>, effect: Effect, why: &'static str) -> Fact {
    Fact { name: name.to_owned(), value: value.clone(), effect, why }
}

fn python(python: &Known<Python>) -> Vec<Fact> {
    let python = match python {
        Known::Value(python) => python,
        Known::Unknown(why) => {
            let value = Known::Unknown(why.clone());
            return vec![fact("Python", &value, Effect::Result, VERSION)];
        }
    };
    let mut facts = vec![
        fact("Python", &python.version, Effect::Result, VERSION),
        fact("Python's build", &python.implementation, Effect::Result, VERSION),
    ];
    if let Some(torch) = &python.torch {
        let value = torch.as_ref().map(ToString::to_string);
        let why = "its kernels come from other libraries";
        facts.push(fact("PyTorch build", &value, Effect::Result, why));
    }
    let build = python.torch.as_ref().and_then(|torch| torch.as_ref().value());
    let label = build.map(|build| format!("+{}", build.label())).unwrap_or_default();
    let package = |(name, package): (&String, &Package)| Fact {
        name: format!("package {name}"),
        value: Known::Value(installed(package, &label)),
        effect: Effect::Result,
        why: VERSION,
    };
    facts.extend(python.packages.iter().map(package));
    facts.extend(python.packages.iter().filter_map(code));
    facts
}

/// What the version of a package does not tell that did not come from an index: which code it is. A commit
/// stands in the address itself; conda and systems build a version once.
fn code((name, package): (&String, &Package)) -> Option<Fact> {
    let open = match &package.origin {
        Origin::Local => true,
        Origin::Address(address) => !address.starts_with("git+"),
        Origin::Index | Origin::Conda | Origin::System => false,
    };
    let value = Known::from_option(package.hash.clone(), "its code is not recorded");
    let why = "a version that is no index's may be any code";
    let name = format!("package {name}, its code");
    open.then_some(Fact { name, value, effect: Effect::Result, why })
}

/// A version of an index is the same everywhere; of elsewhere, where it came from counts as well. What a
/// PyTorch was built for is a fact of its own: only some indexes repeat it in versions.
fn installed(package: &Package, label: &str) -> String {
    let version = package.version.as_str();
    let version = version.strip_suffix(label).filter(|_| !label.is_empty()).unwrap_or(version);
    match &package.origin {
        Origin::Index => version.to_owned(),
        origin => format!("{version} from {origin}"),
    }
}

fn system(system: &System) -> Vec<Fact> {
    let mut facts = vec![
        fact("architecture", &system.architecture, Effect::Result, "other programs"),
        fact(
            "C library",
            &system.libc,
            Effect::Result,
            "bit-level: exp, sin and their like come from it",
        ),
        fact("kernel", &system.kernel, Effect::Speed, "it runs what others compute"),
        fact(
            "system",
            &system.name,
            Effect::Nothing,
            "what of it counts is compared by itself; its programs are not compared",
        ),
    ];
    if let Some(toolkit) = &system.cuda_toolkit {
        let major = toolkit
            .as_ref()
            .map(|version| version.split('.').next().unwrap_or_default().to_owned());
        let why = "extensions that are compiled there become others";
        facts.push(fact("CUDA toolkit, major version", &major, Effect::Result, why));
        let why = "within a major version it compiles the same interfaces";
        facts.push(fact("CUDA toolkit", toolkit, Effect::Speed, why));
    }
    if let Some(image) = &system.image {
        let why = "what of it counts is compared by itself";
        facts.push(fact("container image", image, Effect::Nothing, why));
    }
    facts
}

fn processor(processor: &Processor) -> Vec<Fact> {
    let instructions = processor.instructions.as_ref().map(|all| match all.is_empty() {
        true => ABSENT.to_owned(),
        false => all.iter().cloned().collect::<Vec<_>>().join(" "),
    });
    let memory = processor.memory.as_ref().map(ToString::to_string);
    vec![
        fact("instructions", &instructions, Effect::Result, LAST_BITS),
        fact("processor", &processor.name, Effect::Speed, "how fast, not what"),
        fact("main memory", &memory, Effect::Speed, "whether there is room"),
    ]
}

/// Variables, or one fact for all of them where none is known.
fn set(variables: &Known<BTreeMap<String, String>>) -> Vec<Fact> {
    let variable = |(name, value): (&String, &String)| {
        let found = variable::named(name);
        Fact {
            name: format!("variable {name}"),
            value: Known::Value(value.clone()),
            effect: found.map_or(Effect::Nothing, |found| found.effect),
            why: found.map_or("it changes nothing", |found| found.why),
        }
    };
    match variables {
        Known::Value(variables) => variables.iter().map(variable).collect(),
        Known::Unknown(why) => {
            let value = Known::Unknown(why.clone());
            vec![fact("variables", &value, Effect::Result, "some of them change results")]
        }
    }
}

/// As many as there are, unless a variable holds them fixed.
fn threads(lock: &EnvironmentLock) -> Fact {
    let there = || lock.processor.threads.as_ref().map(ToString::to_string);
    let value = lock.variables.as_ref().and_then(|variables| {
        variables.get("OMP_NUM_THREADS").cloned().map_or_else(there, Known::Value)
    });
    let why = "bit-level: sums are split among that many threads; \
               OMP_NUM_THREADS makes them the same";
    fact("threads", &value, Effect::Result, why)
}

fn accelerators(all: &[Accelerator]) -> Vec<Fact> {
    let count =
        Known::Value(if all.is_empty() { ABSENT.to_owned() } else { all.len().to_string() });
    let why = "work that is shared by all devices is cut into other pieces";
    let mut facts = vec![fact("accelerators", &count, Effect::Result, why)];
    if all.is_empty() {
        return facts;
    }
    let distinct = |of: &dyn Fn(&Accelerator) -> Known<String>| {
        let mut values: Vec<String> = Vec::new();
        for one in all {
            match of(one) {
                Known::Value(value) if values.contains(&value) => {}
                Known::Value(value) => values.push(value),
                unknown @ Known::Unknown(_) => return unknown,
            }
        }
        values.sort();
        Known::Value(values.join(", "))
    };
    let capability = distinct(&|one| one.capability.clone());
    facts.push(fact("compute capability", &capability, Effect::Result, LAST_BITS));
    let device = distinct(&|one| one.name.clone());
    // cuBLAS promises the same bits only for one architecture and one number of multiprocessors, and
    // devices of one compute capability differ in the latter (cuBLAS, "Results reproducibility").
    facts.push(fact("accelerator", &device, Effect::Result, LAST_BITS));
    let memory = distinct(&|one| one.memory.as_ref().map(ToString::to_string));
    facts.push(fact("accelerator memory", &memory, Effect::Speed, "whether there is room"));
    let driver = distinct(&|one| one.driver.clone());
    let why = "it runs the kernels that a framework brings along; only what it compiles itself (PTX) \
               may differ, and from branch to branch";
    facts.push(fact("driver", &driver, Effect::Speed, why));
    facts
}
