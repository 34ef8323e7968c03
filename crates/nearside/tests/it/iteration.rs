//! `nearside iteration`: the loop as the ledger has it, and the same loop elsewhere.

use serde_json::Value;

use crate::answers::check_schema;
use crate::command::list;
use crate::project::{CHAIN, Project};
#[cfg(unix)]
use crate::run::eventually;

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
fn time_waited_until_a_failure_is_time_waited() {
    let project = Project::new("iteration-failed", CHAIN);
    project.0.write("sort.sh", "sleep 0.3; exit 1\n");
    project.run(&["--only", "sort"], 1);
    let here = project.nearside(&["iteration", "--json"]).exits(0).data()["here"].clone();
    assert_eq!((&here["iterations"], &here["without_work"]), (&1.into(), &0.into()));
    assert!(here["waited"]["p50_seconds"].as_f64().unwrap() >= 0.3, "{here}");
    // The same of a stage that somebody ended.
    #[cfg(unix)]
    {
        project.0.write("sort.sh", "touch going; sleep 30\n");
        let mut child = project.start(&["run", "--only", "sort"]);
        eventually("the stage", || project.path().join(".nearside/work/sort/going").exists());
        let number = child.id().to_string();
        std::process::Command::new("kill").args(["-INT", &number]).status().unwrap();
        child.wait().unwrap();
        let listed = project.nearside(&["ledger", "list", "--json"]).exits(0).data();
        let ended = &listed["runs"][0];
        assert_eq!(ended["outcome"], "interrupted");
        assert!((0.0..20.0).contains(&ended["run_seconds"].as_f64().unwrap()), "{ended}");
        let here = project.nearside(&["iteration", "--json"]).exits(0).data()["here"].clone();
        assert_eq!(here["iterations"], 2, "{here}");
    }
    // Neither says anything of how long the stage takes.
    let accuracy = project.nearside(&["ledger", "accuracy"]).exits(0).stdout;
    assert_eq!(accuracy, "nothing that ran had an estimate\n");
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
