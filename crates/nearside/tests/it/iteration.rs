//! `nearside iteration`: the loop as the ledger has it, and the same loop elsewhere.

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::list;
use crate::project::{CHAIN, Project};

#[test]
fn the_loop_is_measured() {
    let project = Project::new("iteration", CHAIN);
    project.0.write("sort.sh", "sort \"$1\"\n");
    let nothing = project.nearside(&["iteration"]).exits(3);
    assert!(nothing.stderr.contains("nothing was recorded yet"), "{}", nothing.stderr);
    project.run(&[], 0);
    // An edit whose result is another one, then an edit that nobody made.
    project.0.write("data/words.txt", "two\none\nthree\n");
    project.run(&[], 0);
    project.run(&[], 0);
    let answer = project.nearside(&["iteration", "--json"]).exits(0).data();
    check_schema("iteration", &answer);
    let here = &answer["here"];
    assert_eq!((&here["iterations"], &here["without_work"]), (&2.into(), &1.into()));
    assert_eq!(here["cycles"], 1, "the second run followed the first: {here}");
    let share = here["wait_share"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&share), "{share}");
    let time = |value: &Value, name: &str| value[name]["p50_seconds"].as_f64().unwrap();
    assert!(time(here, "to_first_result") <= time(here, "waited"), "{here}");
    let sort = list(&here["stages"]).iter().find(|stage| stage["stage"] == "sort").unwrap();
    assert_eq!((&sort["runs"], &sort["site"]), (&2.into(), &"here".into()));
    assert!((sort["reused"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9, "{sort}");
    let promised = list(&here["promised"]);
    let far = |at: usize| promised[at]["far_wait_seconds"].as_f64().unwrap();
    assert!(far(0) < far(1), "a larger cut takes a longer wait: {promised:?}");
    let text = project.nearside(&["iteration", "--pause", "1 h"]).exits(0).stdout;
    assert!(
        text.contains("iterations               2 in a week; everything was done in 1 more"),
        "{text}"
    );
    project.nearside(&["iteration", "--pause", "long"]).exits(2);
}

#[test]
fn a_run_of_unknown_length_is_left_out_and_said_to_be() {
    let project = Project::new("iteration-failed", CHAIN);
    project.0.write("sort.sh", "exit 1\n");
    project.run(&["--only", "sort"], 1);
    let run = project.nearside(&["iteration", "--json"]).exits(0);
    assert!(run.stdout.contains("1 runs are left out"), "{}", run.stdout);
    assert_eq!(run.data()["here"]["iterations"], 0);
}

#[test]
fn the_same_loop_elsewhere() {
    let sites = "[sites]\nuse = [\"here\", \"lambda/gpu_1x_h100_pcie@*\"]\n\
        [site.here]\nprice = \"3500 EUR\"\nbought = \"2026-03\"\n\
        [money]\ncurrency = \"EUR\"\nrates = { USD = \"0.92 EUR\" }\n";
    let project = Project::new("iteration-far", &format!("{CHAIN}{sites}"));
    project.0.write("sort.sh", "sort \"$1\"\n");
    project.run(&[], 0);
    let answer = project.nearside(&["iteration", "--json"]).exits(0).data();
    let far = list(&answer["far"]);
    assert!(!far.is_empty(), "{answer}");
    for site in far {
        // Shell lines have no estimate: as long as here, and a machine has to be there first.
        assert_eq!(list(&site["as_here"]).len(), 3, "{site}");
        let wait = site["wait_seconds"]["kept"].as_f64().unwrap();
        assert!(wait > site["startup_seconds"].as_f64().unwrap(), "{site}");
        assert!(site["cut"]["kept"].as_f64().unwrap() > 0.5, "{site}");
        assert_eq!(site["currency"], "EUR");
        assert!(site["cost"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{site}");
    }
}
