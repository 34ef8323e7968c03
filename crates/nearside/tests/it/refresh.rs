//! `nearside catalog refresh`: lists from files and from a server on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::answers::check_schema;
use crate::command::{Folder, Run, command, list, nearside_configured, text};

/// A server that gives pages by their paths, as often as it is asked; its address.
fn serving(pages: Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or("");
            let page = pages.iter().find(|(known, _)| *known == path);
            let (status, body) = page.map_or(("404 Not Found", ""), |(_, page)| ("200 OK", page));
            let body = body.replace("HOST", &format!("http://{address}"));
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    format!("http://{address}")
}

fn azure(instance: &str, region: &str, price: &str, next: &str) -> String {
    format!(
        "{{\"BillingCurrency\":\"USD\",\"Items\":[{{\"currencyCode\":\"USD\",\"retailPrice\":{price},\
         \"armRegionName\":\"{region}\",\"productName\":\"Series\",\"skuName\":\"x\",\
         \"serviceName\":\"Virtual Machines\",\"unitOfMeasure\":\"1 Hour\",\"type\":\"Consumption\",\
         \"armSkuName\":\"{instance}\"}}],\"NextPageLink\":{next},\"Count\":1}}"
    )
}

fn refreshed(folder: &Folder, arguments: &[&str]) -> Run {
    let arguments = [&["catalog", "refresh"], arguments].concat();
    nearside_configured(folder.path(), &arguments)
}

#[test]
fn pages_of_a_list_are_laid_over_the_catalog() {
    let a100 = "Standard_NC24ads_A100_v4";
    let host = serving(vec![
        ("/first", azure(a100, "eastus", "3.30", "\"HOST/second\"")),
        ("/second", azure(a100, "madeupland", "9.99", "null")),
    ]);
    let folder = Folder::cleared("refresh-azure");
    let from = format!("{host}/first");
    let dry = refreshed(&folder, &["--from", &from, "--dry-run"]).exits(0);
    assert!(dry.stdout.contains("3.673 USD/h") && dry.stdout.contains("-10.2 %"), "{}", dry.stdout);
    assert!(!folder.path().join("catalog").exists(), "a dry run writes nothing");
    let answer = refreshed(&folder, &["--from", &from, "--json", "--no-progress"]).exits(0).data();
    check_schema("catalog-refresh", &answer);
    assert_eq!(answer["offers"], 2);
    assert_eq!(text(&answer["new"][0]), format!("azure/{a100}@madeupland"));
    assert_eq!(text(&answer["changed"][0]["now"]), "3.3 USD/h");
    assert!(!list(&answer["missing"]).is_empty(), "other machines of eastus stay");
    let show =
        |name: &str| nearside_configured(folder.path(), &["catalog", "show", name]).exits(0).stdout;
    let shown = show(&format!("azure/{a100}@eastus"));
    assert!(shown.contains("3.30 USD/h") && shown.contains("price list http://"), "{shown}");
    assert!(show(&format!("azure/{a100}@madeupland")).contains("9.99 USD/h"));
    // A second list of the same provider leaves what the first said of other places.
    let host = serving(vec![("/again", azure(a100, "eastus", "3.40", "null"))]);
    refreshed(&folder, &["--from", &format!("{host}/again")]).exits(0);
    assert!(show(&format!("azure/{a100}@eastus")).contains("3.40 USD/h"));
    assert!(show(&format!("azure/{a100}@madeupland")).contains("9.99 USD/h"));
}

#[test]
fn tables_of_skypilot_name_their_provider() {
    let folder = Folder::cleared("refresh-skypilot");
    let table = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,SpotPrice,Region\n\
        g5.xlarge,A10G,1,4,16,0.90,0.33,us-east-1\n\
        g5.half,A10G,0.5,2,8,0.50,,us-east-1\n";
    let file = folder.write("aws/vms.csv", table);
    let answer = refreshed(&folder, &["--from", &file, "--json", "--no-progress"]).exits(0).data();
    assert_eq!(list(&answer["changed"]).len(), 2, "on demand and spot: {answer}");
    assert_eq!(answer["left_out"].as_object().unwrap().len(), 1);
    let shown = nearside_configured(folder.path(), &["catalog", "show", "aws/g5.xlarge@us-east-1"]);
    assert!(shown.stdout.contains("0.900 USD/h"), "{}", shown.stdout);
}

#[test]
fn what_is_no_list_changes_nothing() {
    let folder = Folder::cleared("refresh-bad");
    let host = serving(vec![
        (
            "/elsewhere",
            azure("Standard_NC24ads_A100_v4", "eastus", "3", "\"http://127.0.0.1:9/x\""),
        ),
        ("/broken", "{\"Items\":[{\"currencyCode\":".to_owned()),
        ("/strange", azure("Standard_B1s", "eastus", "0.1", "null")),
    ]);
    let says = |from: &str, code: i32, expected: &str| {
        let run = refreshed(&folder, &["--from", from]).exits(code);
        assert!(run.stderr.contains(expected), "{from}: {}", run.stderr);
        assert!(!folder.path().join("catalog").exists(), "{from}");
    };
    says(&format!("{host}/elsewhere"), 3, "goes on at another place");
    says(&format!("{host}/broken"), 3, "not a price list of Azure");
    says(&format!("{host}/strange"), 3, "has no offer that the catalog knows");
    says(&format!("{host}/nothing"), 4, "the server answers 404");
    says("http://example.org/list", 4, "only https");
    says("nowhere.json", 3, "there is no file");
    let file = folder.write("list.txt", "hello");
    says(&file, 3, "looks like no price list");
    let mut run = command(&["catalog", "refresh"]);
    run.env("NEARSIDE_CONFIG_DIR", folder.path());
    Run::of(run, &["catalog", "refresh"]).exits(2);
}
