//! The page, opened by a browser that nobody drives: it draws all, asks for nothing, complains of nothing,
//! and nothing sticks out at any width.

use std::fs;
use std::process::Command;

use nearside_economics::Draws;
use nearside_report::{Drawn, Findings, csv, page};

use crate::cases::{Stating, base, hostile};
use crate::office::Folder;

/// The findings with random draws of what is uncertain.
fn drawn(stating: &Stating) -> Findings {
    let mut findings = stating.findings();
    let draws = Draws { count: 2000, seed: 1 };
    for far in &findings.roi.far {
        let mut samples = findings.roi.sheet.drawn(&[far.payback, far.worth], draws).into_iter();
        if let (Some(payback), Some(worth)) = (samples.next(), samples.next()) {
            findings.drawn.push(Drawn { payback, worth });
        }
    }
    findings
}

/// What the page tells of itself once it is drawn; for the test only.
const PROBE: &str = "<script>addEventListener('load',()=>{const out=[];\
const root=document.documentElement;\
if(root.scrollWidth>root.clientWidth)out.push('the page is '+root.scrollWidth+' wide');\
document.querySelectorAll('svg.chart').forEach(svg=>{const box=svg.getBoundingClientRect();\
svg.querySelectorAll('text').forEach(text=>{const at=text.getBoundingClientRect();\
if(at.left<box.left-1||at.right>box.right+1||at.top<box.top-1||at.bottom>box.bottom+1)\
out.push('sticks out: '+text.textContent)})});\
const found=document.createElement('pre');found.id='probe';\
found.textContent='width '+innerWidth+', charts '+document.querySelectorAll('svg.chart').length\
+', asked '+performance.getEntriesByType('resource').length+'; '+out.join('; ');\
document.body.append(found)})</script>";

/// What a browser prints of a page at a width: its document, and what it complained of.
fn opened(folder: &Folder, name: &str, html: &str, width: u32) -> Option<(String, String)> {
    let file = folder.0.join(name);
    // A browser makes no window narrower than some 500 pixels; a frame may be.
    let frame = format!(
        "<!doctype html><body style=\"margin:0\"><iframe id=\"frame\" src=\"{name}\" \
         style=\"border:0;width:{width}px;height:4000px\"></iframe>\
         <script>addEventListener('message',said=>{{const it=document.createElement('pre');\
         it.textContent=said.data;document.body.append(it)}})</script>"
    );
    let probe = PROBE.replace(
        "document.body.append(found)",
        "document.body.append(found);parent.postMessage(found.textContent,'*')",
    );
    fs::write(&file, format!("{html}{probe}")).expect("the page");
    fs::write(folder.0.join(format!("frame-{name}")), frame).expect("its frame");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update"])
        .args(["--enable-logging=stderr", "--window-size=1600,1000", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", folder.0.join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", folder.0.join(format!("frame-{name}")).display()))
        .output()
        .ok()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some((text(output.stdout), text(output.stderr)))
}

#[test]
fn a_browser_shows_it_at_any_width_and_asks_for_nothing() {
    if Command::new("chromium").arg("--version").output().is_err() {
        println!("SKIPPED: no Chromium to show pages with; remedy: cargo xtask setup");
        return;
    }
    let folder = Folder::new("page");
    let mut complaints = Vec::new();
    for (name, findings, charts) in [("base", drawn(&base()), 6), ("hostile", drawn(&hostile()), 6)]
    {
        for width in [400, 1400] {
            let file = format!("{name}-{width}.html");
            let (document, said) =
                opened(&folder, &file, &page(&findings), width).expect("it runs");
            let told = document.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next());
            let expected = format!("width {width}, charts {charts}, asked 0; ");
            if told != Some(expected.as_str()) {
                complaints.push(format!("{name} at {width}: {told:?}"));
            }
            let console = said.lines().filter(|line| line.contains("CONSOLE"));
            complaints.extend(console.map(|line| format!("{name} at {width}: {line}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn it_needs_nothing_else_and_holds_no_tag_of_strangers() {
    for findings in [drawn(&base()), drawn(&hostile())] {
        let html = page(&findings);
        assert_eq!(html, page(&findings));
        for word in ["<script", "src=", "href=", "@import", "url(h", "<b>", "<link", "NaN", "inf"] {
            let found = html.find(word).map(|at| &html[at.saturating_sub(60)..at + 20]);
            assert!(found.is_none(), "{word}: {found:?}");
        }
        assert_eq!(html.matches("role=\"img\"").count(), html.matches("<desc ").count());
        assert_eq!(html.matches("<figure>").count(), html.matches("<summary>The same").count());
    }
}

#[test]
fn it_answers_in_a_sentence() {
    let lead = |edits: &[(&str, f64)]| {
        let html = page(&base().with(edits).findings());
        let lead = html.split("class=\"lead\">").nth(1).and_then(|rest| rest.split('<').next());
        lead.unwrap_or("").to_owned()
    };
    let yes = lead(&[("hours", 500.0)]);
    assert!(
        yes.starts_with("Yes: against &quot;may be taken away&quot;, the cheapest alternative"),
        "{yes}"
    );
    assert!(lead(&[("hours", 5.0)]).starts_with("No: against"), "{}", lead(&[("hours", 5.0)]));
    let none = Stating { far: Vec::new(), ..base() };
    assert!(page(&none.findings()).contains("nothing is stated that it could be held against"));
}

#[test]
fn the_table_for_other_programs_holds_every_cell() {
    let findings = hostile().findings();
    let csv = csv(&findings);
    assert_eq!(csv.lines().count(), findings.roi.sheet.cells().count() + 1);
    assert!(csv.contains("\n\"'=HYPERLINK(\"\"http://example.org\"\",\"\"x\"\")\",far1_price,"));
    let begins = csv.lines().any(|line| line.starts_with(['=', '+', '-', '@']));
    assert!(!begins, "{csv}");
    assert!(csv.contains("own machine,machine_price,Price of a machine,3500,0,1000000,EUR,published,\"a price list, page 3\",2026-07\n"), "{csv}");
}
