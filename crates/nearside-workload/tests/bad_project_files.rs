//! What is wrong with a file is said with its place, its facts and what to do about it.

use nearside_workload::Project;

/// Everything wrong with a file, as `line:column message | hint`.
fn errors(text: &str) -> Vec<String> {
    let errors = match Project::parse(text) {
        Ok(_) => return Vec::new(),
        Err(errors) => errors,
    };
    let shown = errors.iter().map(|error| {
        let (line, column) = error.line_and_column(text).unwrap_or_default();
        format!("{line}:{column} {} | {}", error.message, error.hint.as_deref().unwrap_or("-"))
    });
    shown.collect()
}

/// Checks a file of which only the part after the version matters.
#[track_caller]
fn check(rest: &str, expected: &[&str]) {
    let text = format!("version = 1\n{rest}");
    assert_eq!(errors(&text), expected, "\n{text}");
}

#[test]
fn versions() {
    let missing = "1:1 the file does not say which version of the format it is | write version = 1";
    for (text, expected) in [
        ("", missing),
        ("banana = 1\n", missing),
        (
            "banana = 1\nversion = 2\n",
            "2:11 version 2 cannot be read: this build reads 1 | write version = 1",
        ),
        (
            "version = \"1\"\n",
            "1:11 version \"1\" cannot be read: this build reads 1 | write version = 1",
        ),
        (
            "version = 1.5\n",
            "1:11 version float cannot be read: this build reads 1 | write version = 1",
        ),
    ] {
        assert_eq!(errors(text), [expected], "{text}");
    }
}

#[test]
fn too_many_trials() {
    let hundred: Vec<String> = (0..100).map(|value| value.to_string()).collect();
    let hundred = hundred.join(", ");
    let text = format!(
        "[stage.a]\nphase = \"tuning\"\nrun = \"x {{c}}\"\n[stage.a.matrix]\na = [{hundred}]\nb = [{hundred}]\nc = [1, 2]\n\"d{{\" = [1]\n"
    );
    check(
        &text,
        &[
            "8:1 stage.a.matrix.c: more than 10000 trials | try fewer values",
            "9:1 stage.a.matrix.d{: cannot be a placeholder | use letters, digits, - and _",
        ],
    );
}

#[test]
fn syntax() {
    check(
        r#"name = "x
[stage"#,
        &[
            r#"2:10 invalid basic string, expected '"' | -"#,
            r#"3:7 unclosed table, expected ']' | -"#,
        ],
    );
}

#[test]
fn unknown_keys_suggest_the_nearest() {
    check(
        r#"titel = "x"
[datset.a]
path = "a"
"#,
        &[
            r#"2:1 unknown key "titel" | keys that may stand here: version, name, dataset, model, stage, site, sites, money, team, roi, policy, objective"#,
            r#"3:2 unknown key "datset" | did you mean "dataset"?"#,
        ],
    );
    check(
        r#"[stage.a]
phase = "train"
rnu = "x"
[site.here]
banana = 3
"#,
        &[
            r#"4:1 unknown key "rnu" | did you mean "run"?"#,
            r#"6:1 unknown key "banana" | keys that may stand here: machine, processor, cores, threads, memory, disk, accelerators, price, bought, life, rent, power, location, pue, uplink, downlink, launcher, clearance"#,
        ],
    );
}

#[test]
fn wrong_types() {
    check(
        r#"name = 3
[team]
people = 2
[sites]
spot = "yes"
"#,
        &[
            r#"2:8 expected a string, found integer '3' | -"#,
            r#"6:8 expected true or false, found string "yes" | -"#,
        ],
    );
    check(
        r#"[stage.a]
phase = "train"
run = "x"
outputs = "a"
"#,
        &[r#"5:11 expected a list, found string "a" | -"#],
    );
}

#[test]
fn units() {
    check(
        r#"[dataset.a]
path = "a"
size = 3
[dataset.b]
path = "b"
size = "3 gb"
[dataset.c]
path = "c"
size = "3 horses"
"#,
        &[
            r#"4:8 dataset.a.size: amount of data "3" needs a unit: one of B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB, PB, PiB | as in size = "2.4 GB""#,
            r#"7:8 dataset.b.size: unknown unit "gb" for amount of data: use one of B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB, PB, PiB | did you mean "GB"?"#,
            r#"10:8 dataset.c.size: unknown unit "horses" for amount of data: use one of B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB, PB, PiB | as in size = "2.4 GB""#,
        ],
    );
    check(
        r#"[site.here]
price = 3500
life = "4 yeers"
uplink = "0 Mbit/s"
bought = "soon"
pue = 0.5
"#,
        &[
            r#"3:9 site.here.price: "3500" is not an amount of money, as in "3500 EUR" | as in price = "3500 EUR""#,
            r#"4:8 site.here.life: unknown unit "yeers" for length of time: use one of us, µs, ms, s, second, seconds, min, minute, minutes, h, hour, hours, d, day, days, week, weeks, month, months, y, year, years | did you mean "years"?"#,
            r#"5:10 site.here.uplink: bandwidth must be greater than zero | as in uplink = "40 Mbit/s""#,
            r#"6:10 site.here.bought: "soon" is not a date, as in "2026-07-20" or "2026-07" | as in bought = "2026-03""#,
            r#"7:7 site.here.pue: "0.5" is not a number from 1 to 5 | -"#,
        ],
    );
}

#[test]
fn impossible_numbers() {
    check(
        r#"[site.here]
power = { load = nan, idle = inf }
pue = nan
"#,
        &[
            r#"3:18 site.here.power.load: "NaN" is not a number with a unit | as in load = "550 W""#,
            r#"3:30 site.here.power.idle: "inf" is not a number with a unit | as in idle = "100 W""#,
            r#"4:7 site.here.pue: "NaN" is not a number from 1 to 5 | -"#,
        ],
    );
    check(
        r#"[site.here]
power = { load = "NaN W", idle = "-3 W" }
memory = "-1 GiB"
cores = 0
life = "0 h"
"#,
        &[
            r#"3:18 site.here.power.load: "NaN W" is not a number with a unit | as in load = "550 W""#,
            r#"3:34 site.here.power.idle: power cannot be negative (-3) | as in idle = "100 W""#,
            r#"4:10 site.here.memory: amount of data cannot be negative (-1073741824) | as in memory = "64 GiB""#,
            r#"5:9 site.here.cores: must be at least 1, not 0 | -"#,
            r#"6:8 site.here.life: must be more than nothing | as in life = "4 years""#,
        ],
    );
    check(
        r#"[site.here]
power = { load = "100 W", idle = "200 W" }
"#,
        &[
            r#"3:34 site.here.power.idle: 200 W idle is more than 100 W under load | exchange load and idle?"#,
        ],
    );
}

#[test]
fn names() {
    check(
        r#"[stage.a]
phase = "trian"
run = "x"
after = ["b", "a"]
[stage.bb]
phase = "deploy"
run = "x"
inputs = ["tickts"]
[dataset.tickets]
path = "t.csv"
class = "secret"
at = "her"
"#,
        &[
            r#"3:9 stage.a.phase: unknown phase "trian": use explore, prepare, features, architecture, tuning, train, evaluate, deploy | did you mean "train"?"#,
            r#"5:10 unknown stage "b" | did you mean "a"?"#,
            r#"5:15 stage "a" waits for itself | remove it from after"#,
            r#"9:11 input "tickts" is neither a dataset nor an output of a stage | did you mean "tickets"?"#,
            r#"12:9 dataset.tickets.class: unknown class "secret": use public, internal, personal or special | -"#,
            r#"13:6 unknown site "her" | did you mean "here"?"#,
        ],
    );
    check(
        r#"["stage"."../x"]
phase = "train"
run = "x"
"#,
        &[
            r#"2:10 "../x" cannot be the name of a stage | use letters, digits, -, _ and . (not first)"#,
        ],
    );
    check(
        r#"[stage.a]
phase = "train"
run = "x"
inputs = ["missing.csv"]
sites = ["lab"]
"#,
        &[
            r#"5:11 input "missing.csv" is neither a dataset nor an output of a stage | add a [dataset.NAME] with path = "missing.csv""#,
            r#"6:10 unknown site "lab" | add a table [site.lab], or write "lab/*" for rented machines"#,
        ],
    );
}

#[test]
fn incomplete_tables() {
    check(
        r#"[dataset.a]
[model.b]
[stage.c]
"#,
        &[
            r#"2:10 dataset "a" has no path | as in path = "data/tickets.csv""#,
            r#"3:8 model "b" has no source | a catalog name, a folder or a file, as in source = "llama-3.1-8b""#,
            r#"4:8 stage "c" has nothing to do | add run = "a command", or a workload"#,
            r#"4:8 stage "c" has no phase | add phase = one of explore, prepare, features, architecture, tuning, train, evaluate, deploy"#,
        ],
    );
}

#[test]
fn outputs() {
    check(
        r#"[stage.a]
phase = "train"
run = "x"
outputs = ["build/m", "./build/m/"]
[stage.b]
phase = "train"
run = "x"
outputs = ["build/m/part", "../x", "/x", "."]
promises = { "build/mm" = "public" }
sizes = { "build/m/part" = "2" }
"#,
        &[
            r#"5:23 output "build/m" is written by the same stage already | give each stage its own path"#,
            r#"9:12 output "build/m/part" is written by stage "a" already | give each stage its own path"#,
            r#"9:28 output "../x" is not a path inside the project | as in "build/model""#,
            r#"9:36 output "/x" is not a path inside the project | as in "build/model""#,
            r#"9:42 output "." is not a path inside the project | as in "build/model""#,
            r#"10:14 unknown output "build/mm" | known: build/m/part, ../x, /x"#,
            r#"11:28 stage.b.sizes."build/m/part": amount of data "2" needs a unit: one of B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB, PB, PiB | as in "build/m/part" = "2 GB""#,
        ],
    );
    check(
        r#"[dataset.d]
path = "data/d.csv"
[stage.a]
phase = "train"
run = "x"
inputs = ["m"]
outputs = ["data", "m"]
"#,
        &[
            r#"7:11 stage "a" reads "m", which it writes itself | read another path"#,
            r#"8:12 stage "a" would overwrite dataset "d" by writing "data" | write under build/, or remove the dataset"#,
        ],
    );
}

#[test]
fn cycles() {
    check(
        r#"[stage.a]
phase = "train"
run = "x"
after = ["c"]
[stage.b]
phase = "train"
run = "x"
after = ["a"]
outputs = ["b.out"]
[stage.c]
phase = "train"
run = "x"
inputs = ["b.out"]
[stage.d]
phase = "train"
run = "x"
after = ["c"]
"#,
        &[
            r#"2:8 stages wait for each other: a -> b -> c -> a | remove one of these inputs or one of these after entries"#,
        ],
    );
}

#[test]
fn keys_of_workloads() {
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "lora", model = "bas", tokens = "20M", sequence = 0, batch = 8, rnk = 16 }
"#,
        &[
            r#"6:12 task lora needs rank | lora takes model, tokens, sequence, batch, rank, accumulation, targets, adapter, precision, optimizer, attention, checkpointing, loss, chunk, sharding, tensor, pipeline, stream, offload, image"#,
            r#"6:37 unknown model "bas" | did you mean "base"?"#,
            r#"6:71 stage.tune.workload.sequence: must be at least 1, not 0 | -"#,
            r#"6:85 unknown key "rnk" for task lora | did you mean "rank"? lora takes model, tokens, sequence, batch, rank, accumulation, targets, adapter, precision, optimizer, attention, checkpointing, loss, chunk, sharding, tensor, pipeline, stream, offload, image"#,
        ],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "lorra" }
"#,
        &[r#"6:21 unknown task "lorra" | did you mean "lora"?"#],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { model = "base" }
"#,
        &[
            r#"6:12 stage.tune.workload has no task | add task = one of pretrain, fine-tune, lora, qlora, inference, evaluation, preparation, custom"#,
        ],
    );
}

#[test]
fn values_of_workloads() {
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "inference", model = "base", requests = "200k", prompt = 5, output = 5, hours = "800 h", weights = "q4_kk", cache = "bool" }
"#,
        &[
            r#"6:101 stage.tune.workload.hours: a month has 730 h, not 800 | as in hours = "730 h""#,
            r#"6:120 stage.tune.workload.weights: "q4_kk" cannot be used here | did you mean "q4_k"?"#,
            r#"6:137 stage.tune.workload.cache: "bool" cannot be used here | number types: f32, f16, bf16, f8, i8, int8, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl"#,
        ],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "fine-tune", model = "base", tokens = "20 M tokens", sequence = 1.5, batch = -1, precision = "q4_k", optimizer = "adam", attention = "flash", checkpointing = "ful" }
"#,
        &[
            r#"6:59 stage.tune.workload.tokens: "20 M tokens" is not a count, as in "20M" (k, M, B, T) | as in tokens = "20M""#,
            r#"6:85 stage.tune.workload.sequence: must be a whole number, not 1.5 | -"#,
            r#"6:98 stage.tune.workload.batch: count cannot be negative (-1) | as in batch = "8""#,
            r#"6:114 stage.tune.workload.precision: "q4_k" cannot be used here | number types: bf16, f16, f32, f64"#,
            r#"6:134 stage.tune.workload.optimizer: unknown optimizer "adam": use adamw, adamw-plain, adamw-foreach, adamw-8bit, paged-adamw-8bit, adafactor, sgd, sgd-momentum | did you mean "adamw"?"#,
            r#"6:154 stage.tune.workload.attention: unknown attention kernel "flash": use fused, efficient, masked, eager | -"#,
            r#"6:179 stage.tune.workload.checkpointing: unknown checkpointing "ful": use none, full, attention, selective | did you mean "full"?"#,
        ],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "lora", model = "base", tokens = "20M", sequence = 512, batch = 1, rank = 8, loss = "chunkd", chunk = 0, adapter = "dorra" }
[stage.more]
phase = "train"
workload = { task = "pretrain", model = "base", tokens = "20M", sequence = 512, batch = 1, chunk = 64, adapter = "dora" }
"#,
        &[
            r#"6:105 stage.tune.workload.loss: unknown loss "chunkd": use whole, chunked | did you mean "chunked"?"#,
            r#"6:123 stage.tune.workload.chunk: must be at least 1, not 0 | -"#,
            r#"6:136 stage.tune.workload.adapter: unknown adapter "dorra": use lora, dora | did you mean "dora"?"#,
            r#"9:100 stage.more.workload.chunk: only a chunked loss has chunks | add loss = "chunked""#,
            r#"9:104 unknown key "adapter" for task pretrain | pretrain takes model, tokens, sequence, batch, accumulation, precision, optimizer, attention, checkpointing, loss, chunk, sharding, tensor, pipeline, stream, offload, image"#,
        ],
    );
}

#[test]
fn values_of_other_work() {
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "preparation", core_seconds_per_gb = "many", memory = 8, bytes = true }
"#,
        &[
            r#"6:58 stage.tune.workload.core_seconds_per_gb: "many" is not a number from 0 to 1000000000 | -"#,
            r#"6:75 stage.tune.workload.memory: amount of data "8" needs a unit: one of B, kB, KB, KiB, MB, MiB, GB, GiB, TB, TiB, PB, PiB | as in memory = "8 GiB""#,
            r#"6:86 stage.tune.workload.bytes: "true" is not a number with a unit | as in bytes = "2 GB""#,
        ],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "custom", device = "tpu", flops = "3 PF", bytes = [1] }
"#,
        &[
            r#"6:12 task custom needs memory | custom takes flops, bytes, memory, device"#,
            r#"6:40 stage.tune.workload.device: unknown device "tpu": use accelerator, processor | -"#,
            r#"6:55 stage.tune.workload.flops: unknown unit "PF" for number of operations: use one of FLOP, kFLOP, MFLOP, GFLOP, TFLOP, PFLOP, EFLOP, ZFLOP | as in flops = "3 PFLOP""#,
            r#"6:71 stage.tune.workload.bytes: "a list or a table" is not a number with a unit | as in bytes = "2 TB""#,
        ],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "lora", model = "nothing", tokens = 1, sequence = 1, batch = 1, rank = 99999 }
"#,
        &[
            r#"6:37 unknown model "nothing" | add a table [model.NAME] with its source"#,
            r#"6:92 stage.tune.workload.rank: must be at most 65536, not 99999 | -"#,
        ],
    );
}

#[test]
fn missing_model() {
    check(
        r#"[stage.a]
phase = "train"
workload = { task = "pretrain", tokens = 1, sequence = 1, batch = 1 }
"#,
        &[
            r#"4:12 task pretrain needs model | pretrain takes model, tokens, sequence, batch, accumulation, precision, optimizer, attention, checkpointing, loss, chunk, sharding, tensor, pipeline, stream, offload, image"#,
        ],
    );
    check(
        r#"[stage.a]
phase = "train"
workload = { task = "pretrain", model = "gpt", tokens = 1, sequence = 1, batch = 1 }
"#,
        &[r#"4:41 unknown model "gpt" | add a table [model.NAME] with its source"#],
    );
}

#[test]
fn placeholders() {
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
run = "train.py {rnak} {depth}"
matrix = { rank = [8, 0], empty = [] }
"#,
        &[r#"7:27 stage.tune.matrix.empty: has no values to try | as in rank = [8, 16]"#],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
run = "x"
outputs = ["m/{rank}"]
workload = { task = "lora", model = "base", tokens = "{size}M", sequence = 1, batch = 1, rank = "{rank}" }
matrix = { rank = [8, 0, nan, true] }
"#,
        &[
            r#"7:12 placeholder {rank} in an output, which is the same for every trial | write a folder here, and let each trial write its own file in it"#,
            r#"8:54 unknown placeholder {size} | add matrix = { size = [...] }, or write {{size}} for plain braces"#,
            r#"9:26 stage.tune.matrix.rank: a value to try is a string or a finite number | -"#,
            r#"9:31 stage.tune.matrix.rank: a value to try is a string or a finite number | -"#,
        ],
    );
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
run = "{a}"
"#,
        &[
            r#"6:7 unknown placeholder {a} | add matrix = { a = [...] }, or write {{a}} for plain braces"#,
        ],
    );
}

#[test]
fn prices_are_not_negative() {
    check(
        r#"[site.here]
price = "-3500 EUR"
power = { tariff = "-0.1 EUR/kWh" }
[site.box]
rent = "-1 EUR/h"
[objective]
budget = "-4 EUR/month"
[team]
wage = "-60 EUR/h"
"#,
        &[
            r#"3:9 site.here.price: -3500 EUR is negative | a price is zero or more"#,
            r#"4:20 site.here.power.tariff: -0.1 EUR is negative | a price is zero or more"#,
            r#"6:8 site.box.rent: -1 EUR is negative | a price is zero or more"#,
            r#"8:10 objective.budget: -4 EUR is negative | a price is zero or more"#,
            r#"10:8 team.wage: -60 EUR is negative | a price is zero or more"#,
        ],
    );
}

#[test]
fn currencies() {
    check(
        r#"[site.here]
price = "3500 EUR"
power = { tariff = "0.2 USD/kWh" }
[objective]
budget = "400 CHF/month"
"#,
        &[
            r#"4:20 an amount in USD, but no rate from USD to EUR | add to [money]: rates = { USD = "... EUR" }"#,
            r#"6:10 an amount in CHF, but no rate from CHF to EUR | add to [money]: rates = { CHF = "... EUR" }"#,
        ],
    );
    check(
        r#"[money]
currency = "EUR"
rates = { USD = "0.92 CHF", CHF = "0 EUR", EUR = "1 EUR", GBP = "-1 EUR", dollar = "1 EUR", SEK = 3 }
"#,
        &[
            r#"4:17 money.rates.USD: 0.92 CHF is not in the project's currency, EUR | as in USD = "0.92 EUR""#,
            r#"4:35 money.rates.CHF: 0 EUR is not more than nothing | as in CHF = "0.92 EUR""#,
            r#"4:44 money.rates.EUR: EUR is the project's own currency | remove this rate"#,
            r#"4:65 money.rates.GBP: -1 EUR is not more than nothing | as in GBP = "0.92 EUR""#,
            r#"4:75 "dollar" is not a currency code, as in "EUR" | three capital letters"#,
            r#"4:99 money.rates.SEK: "3" is not an amount of money, as in "3500 EUR" | as in SEK = "0.92 EUR""#,
        ],
    );
    check(
        r#"[money]
currency = "euro"
[site.here]
price = "1 USD"
rent = "1 EUR"
"#,
        &[
            r#"3:12 "euro" is not a currency code, as in "EUR" | three capital letters"#,
            r#"6:8 site.here.rent: "1 EUR" is not a price, as in "0.31 EUR/h" | as in rent = "1.20 EUR/h""#,
        ],
    );
    check(
        r#"[money]
currency = "EUR"
rates = { USD = "0.92 EUR" }
[team]
wage = "60 USD/h"
"#,
        &[],
    );
}

#[test]
fn objective() {
    check(
        r#"[objective]
minimize = "costs"
deadline = "48"
budget = "400 EUR"
carbon = "20 kgCO2/month"
"#,
        &[
            r#"3:12 objective.minimize: unknown goal "costs": use cost, time, carbon | did you mean "cost"?"#,
            r#"4:12 objective.deadline: length of time "48" needs a unit: one of us, µs, ms, s, second, seconds, min, minute, minutes, h, hour, hours, d, day, days, week, weeks, month, months, y, year, years | as in deadline = "48 h""#,
            r#"5:10 objective.budget: "400 EUR" is not an amount per month, ending in "/month" | as in budget = "400 EUR/month""#,
            r#"6:10 objective.carbon: unknown unit "kgCO2" for emissions: use one of gCO2e, kgCO2e, tCO2e, g, kg, t | did you mean "kgCO2e"?"#,
        ],
    );
}

#[test]
fn policy() {
    check(
        r#"[policy]
personal = ["her", "lab", "aws/*"]
jurisdiction = ["Europe", "EU"]
"#,
        &[
            r#"3:13 unknown site "her" | did you mean "here"?"#,
            r#"3:20 unknown site "lab" | add a table [site.lab], or write "lab/*" for rented machines"#,
            r#"4:17 policy.jurisdiction: unknown area "Europe": use a country code such as DE, or EU, EEA | as in jurisdiction = ["EU"]"#,
        ],
    );
    check(
        r#"[site.lab]
clearance = "internal"
[site.here]
clearance = "personal"
[policy]
personal = ["lab"]
"#,
        &[
            r#"2:7 site "lab" is cleared for internal data, but policy.personal names it | say it in one of the two places"#,
            r#"4:7 site "here" is cleared for personal data, but policy.personal leaves it out | say it in one of the two places"#,
        ],
    );
}

#[test]
fn sites() {
    check(
        r#"[site.lab]
machine = "lab.toml"
cores = 3
price = "1 EUR"
rent = "1 EUR/h"
launcher = "slrum"
location = { country = "Germany" }
[site."a/b"]
[sites]
use = ["here"]
never = ["labb"]
[stage.a]
phase = "train"
run = "x"
sites = ["lab"]
"#,
        &[
            r#"3:11 site.lab.machine: names a recorded machine, and the table states one as well | keep the file, or keep the other keys"#,
            r#"6:8 site.lab.rent: a machine is either bought or rented, and this one has a price too | remove rent or price"#,
            r#"7:12 site.lab.launcher: unknown launcher "slrum": use process, sandbox, container, slurm, ray, kubernetes, skypilot | did you mean "slurm"?"#,
            r#"8:24 site.lab.location.country: "Germany" is not a country code | two capital letters (ISO 3166), as in country = "DE""#,
            r#"9:7 "a/b" cannot be the name of a site | use letters, digits, -, _ and . (not first)"#,
            r#"12:10 unknown site "labb" | did you mean "lab"?"#,
            r#"16:10 stage "a" may run on "lab", which sites.use leaves out | add "lab" to sites.use"#,
        ],
    );
    check(
        r#"[site.lab]
accelerators = [{ device = "x", count = 0 }, { count = 2 }, { devise = "x" }]
"#,
        &[
            r#"3:46 missing key "device" | -"#,
            r#"3:61 missing key "device" | -"#,
            r#"3:63 unknown key "devise" | did you mean "device"?"#,
        ],
    );
}

#[test]
fn repeats() {
    check(
        r#"[stage.a]
phase = "train"
run = "x"
repeat = "often"
[stage.b]
phase = "train"
run = "x"
repeat = "0/month"
[stage.c]
phase = "train"
run = "x"
repeat = 3
"#,
        &[
            r#"5:10 stage.a.repeat: "often" is not how often, as in "12/month" | as in repeat = "12/month""#,
            r#"9:10 stage.b.repeat: never | remove the stage instead"#,
            r#"13:10 stage.c.repeat: "3" is not how often, as in "12/month" | as in repeat = "12/month""#,
        ],
    );
}

#[test]
fn tables_of_their_own() {
    check(
        r#"[stage.a]
phase = "train"
phase = "tuning"
"#,
        &["4:1 duplicate key | -"],
    );
    check(
        r#"[model.base]
source = "x"
[stage.a]
phase = "train"
[stage.a.workload]
task = "lora"
modle = "base"
tokens = 1
sequence = 0
batch = 1
rank = 1
"#,
        &[
            r#"6:1 task lora needs model | lora takes model, tokens, sequence, batch, rank, accumulation, targets, adapter, precision, optimizer, attention, checkpointing, loss, chunk, sharding, tensor, pipeline, stream, offload, image"#,
            r#"8:1 unknown key "modle" for task lora | did you mean "model"? lora takes model, tokens, sequence, batch, rank, accumulation, targets, adapter, precision, optimizer, attention, checkpointing, loss, chunk, sharding, tensor, pipeline, stream, offload, image"#,
            r#"10:12 stage.a.workload.sequence: must be at least 1, not 0 | -"#,
        ],
    );
    check(
        r#"[dataset.d]
path = "d"
[stage.a]
phase = "train"
run = "x"
inputs = ["d/../../etc/passwd", "d/part"]
"#,
        &[
            r#"7:11 input "d/../../etc/passwd" is neither a dataset nor an output of a stage | add a [dataset.NAME] with path = "d/../../etc/passwd""#,
        ],
    );
}

#[test]
fn networks() {
    check(
        "[stage.a]\nphase = \"train\"\nrun = \"x\"\ninputs = []\nnetwork = \"opne\"\n",
        &[r#"6:11 stage.a.network: unknown network "opne": use none, open | did you mean "open"?"#],
    );
}

#[test]
fn parallelism() {
    check(
        r#"[model.base]
source = "x"
[stage.tune]
phase = "train"
workload = { task = "fine-tune", model = "base", tokens = "20M", sequence = 8, batch = 8, sharding = "fsdb", tensor = 0, pipeline = 1.5, offload = "disk" }
"#,
        &[
            r#"6:102 stage.tune.workload.sharding: unknown sharding "fsdb": use none, zero1, zero2, zero3, fsdp | did you mean "fsdp"?"#,
            r#"6:119 stage.tune.workload.tensor: must be at least 1, not 0 | -"#,
            r#"6:133 stage.tune.workload.pipeline: must be a whole number, not 1.5 | -"#,
            r#"6:148 stage.tune.workload.offload: unknown offload "disk": use none, optimizer, parameters | -"#,
        ],
    );
}

#[test]
fn budgets_of_privacy() {
    let dataset = "[dataset.people]\npath = \"people.csv\"\nclass = \"personal\"\n";
    let with = |budget: &str| format!("{dataset}budget = {budget}\n");
    check(&with("{ epsilon = 1.5, delta = 1e-6, rows_per_person = 3, person = \"id\" }"), &[]);
    let twice = "[dataset.again]\npath = \"./people.csv\"\nbudget = { epsilon = 1 }\n";
    check(
        &format!("{}{twice}", with("{ epsilon = 1 }")),
        &["6:10 datasets \"people\" and \"again\" are one file with two budgets | \
           leave one of the budgets out"],
    );
    check(
        &with("{ delta = 1e-6 }"),
        &["2:10 dataset.people.budget has no epsilon | as in budget = { epsilon = 1.0 }"],
    );
    check(
        &with("{ epsilon = 0 }"),
        &["5:22 dataset.people.budget.epsilon: \"0\" is not a number from 0.000001 to 100 | -"],
    );
    check(
        &with("{ epsilon = 1, rows_per_person = 0 }"),
        &["5:43 dataset.people.budget.rows_per_person: must be at least 1, not 0 | -"],
    );
}
