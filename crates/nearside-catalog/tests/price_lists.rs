//! Price lists in the shapes that providers publish, small and large, whole and broken.

use std::io::Read;

use nearside_catalog::{Catalog, CatalogError, ListFile, PriceList, Terms};
use nearside_units::Bytes;
use proptest::prelude::*;

fn file() -> ListFile<'static> {
    ListFile { name: "list.json", as_of: "2026-11-01".parse().expect("a day") }
}

fn product(sku: &str, instance: &str, more: &str) -> String {
    format!(
        "\"{sku}\":{{\"sku\":\"{sku}\",\"productFamily\":\"Compute Instance\",\"attributes\":{{\
         \"servicecode\":\"AmazonEC2\",\"instanceType\":\"{instance}\",\"regionCode\":\"eu-west-1\",\
         \"operatingSystem\":\"Linux\",\"tenancy\":\"Shared\",\"preInstalledSw\":\"NA\",\
         \"capacitystatus\":\"Used\",\"vcpu\":\"4\",\"memory\":\"16 GiB\"{more}}}}}"
    )
}

fn terms(sku: &str, price: &str) -> String {
    format!(
        "\"{sku}\":{{\"{sku}.JRTCKXETXF\":{{\"offerTermCode\":\"JRTCKXETXF\",\"sku\":\"{sku}\",\
         \"priceDimensions\":{{\"{sku}.JRTCKXETXF.6YS6EN2CT7\":{{\"unit\":\"Hrs\",\
         \"pricePerUnit\":{{\"USD\":\"{price}\"}}}}}},\"termAttributes\":{{}}}}}}"
    )
}

fn aws(products: &[String], on_demand: &[String]) -> String {
    format!(
        "{{\"formatVersion\":\"v1.0\",\"disclaimer\":\"...\",\"offerCode\":\"AmazonEC2\",\
         \"publicationDate\":\"2026-10-30T20:15:00Z\",\"products\":{{{}}},\"terms\":{{\
         \"OnDemand\":{{{}}},\"Reserved\":{{\"x\":{{\"y\":[1,2,{{}}]}}}}}},\"attributesList\":{{}}}}",
        products.join(","),
        on_demand.join(",")
    )
}

fn read_aws(text: &str) -> Result<PriceList, CatalogError> {
    Catalog::builtin().expect("a catalog").read_aws_prices(text.as_bytes(), &file())
}

#[test]
fn linux_machines_that_are_known_have_their_price() {
    let products = [
        product("A", "g5.xlarge", ",\"gpu\":\"1\""),
        product("B", "g5.xlarge", "").replace("Linux", "Windows"),
        product("C", "p9.48xlarge", ",\"gpu\":\"8\""),
        product("D", "t2.nano", ""),
        product("E", "g5.xlarge", "").replace("Shared", "Dedicated"),
    ];
    let on_demand = ["A", "B", "C", "D", "E"].map(|sku| terms(sku, "1.1230000000"));
    let list = read_aws(&aws(&products, &on_demand)).expect("a list");
    assert_eq!(list.offers.len(), 1);
    let offer = &list.offers[0];
    assert_eq!(offer.key.to_string(), "aws/g5.xlarge@eu-west-1");
    assert_eq!((offer.device.as_deref(), offer.devices), (Some("a10g"), 1));
    let price = offer.price(Terms::OnDemand).value().expect("a price");
    assert_eq!(format!("{:#}", price.value.money()), "1.123 USD");
    assert_eq!(price.basis.to_string(), "published: price list list.json (2026-10-30)");
    assert_eq!(offer.memory().value().expect("a size").value, Bytes::gib(16));
    assert_eq!(list.left_out.keys().collect::<Vec<_>>(), ["p9.48xlarge"]);
}

#[test]
fn terms_may_come_before_products() {
    let text = aws(&[product("A", "g5.xlarge", "")], &[terms("A", "1.5")]);
    let (head, rest) = text.split_once("\"products\"").expect("products");
    let (products, terms) = rest.split_once(",\"terms\":").expect("terms");
    let (terms, tail) = terms.split_once(",\"attributesList\"").expect("the end");
    let turned = format!("{head}\"terms\":{terms},\"products\"{products},\"attributesList\"{tail}");
    let same = read_aws(&turned).expect("a list");
    assert_eq!(same, read_aws(&text).expect("a list"));
    assert_eq!(same.offers.len(), 1);
}

#[test]
fn what_is_no_list_or_breaks_off_is_told() {
    let whole = aws(&[product("A", "g5.xlarge", "")], &[terms("A", "1.5")]);
    for text in ["", "{}", "[]", "{\"products\":[]}", &whole[..whole.len() - 3], &whole[..200]] {
        let error = read_aws(text).expect_err(text).to_string();
        assert!(error.starts_with("list.json: not a price list of Amazon EC2"), "{error}");
    }
    // A price that is none is left out, as is one of nothing.
    for price in ["free", "0.0000000000", "-1", "NaN"] {
        let list = read_aws(&aws(&[product("A", "g5.xlarge", "")], &[terms("A", price)]));
        assert!(list.expect("a list").offers.is_empty(), "{price}");
    }
}

#[test]
fn a_page_of_azure_has_prices_on_demand_and_spot() {
    let item = |sku: &str, name: &str, product: &str, price: &str| {
        format!(
            "{{\"currencyCode\":\"USD\",\"tierMinimumUnits\":0.0,\"retailPrice\":{price},\
             \"unitPrice\":{price},\"armRegionName\":\"westeurope\",\"location\":\"EU West\",\
             \"productName\":\"{product}\",\"skuName\":\"{name}\",\"serviceName\":\"Virtual Machines\",\
             \"unitOfMeasure\":\"1 Hour\",\"type\":\"Consumption\",\"armSkuName\":\"{sku}\"}}"
        )
    };
    let a100 = "Standard_NC24ads_A100_v4";
    let items = [
        item(a100, "NC24ads A100 v4", "NC ads A100 v4 Series", "4.775"),
        item(a100, "NC24ads A100 v4 Spot", "NC ads A100 v4 Series", "1.43"),
        item(a100, "NC24ads A100 v4 Low Priority", "NC ads A100 v4 Series", "0.95"),
        item(a100, "NC24ads A100 v4", "NC ads A100 v4 Series Windows", "5.9"),
        item("Standard_ND99_X", "ND99 X", "ND X Series", "98.1"),
        item("Standard_B1s", "B1s", "B Series", "0.01"),
    ];
    let page = format!(
        "{{\"BillingCurrency\":\"USD\",\"Items\":[{}],\"NextPageLink\":\"https://prices.azure.com/?$skip=1000\",\
         \"Count\":6}}",
        items.join(",")
    );
    let catalog = Catalog::builtin().expect("a catalog");
    let list = catalog.read_azure_prices(page.as_bytes(), &file()).expect("a page");
    assert_eq!(list.offers.len(), 1);
    let price =
        |terms| list.offers[0].price(terms).value().expect("a price").value.money().as_f64();
    assert!((price(Terms::OnDemand) - 4.775).abs() < 1e-12);
    assert!((price(Terms::Spot) - 1.43).abs() < 1e-12);
    assert_eq!(list.next.as_deref(), Some("https://prices.azure.com/?$skip=1000"));
    assert_eq!(list.left_out.keys().collect::<Vec<_>>(), ["Standard_ND99_X"]);
    let error = catalog.read_azure_prices(&page.as_bytes()[..300], &file()).expect_err("a part");
    assert!(error.to_string().starts_with("list.json: not a price list of Azure"), "{error}");
}

/// A list of many products that is made while it is read.
struct Endless {
    products: usize,
    next: usize,
    buffer: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.buffer.is_empty() && self.next <= self.products {
            let text = match self.next {
                0 => "{\"formatVersion\":\"v1.0\",\"products\":{".to_owned(),
                at if at < self.products => product(&format!("S{at}"), "t2.nano", "") + ",",
                _ => {
                    let products = product("A", "g5.xlarge", "");
                    let terms = terms("A", "1.5");
                    format!("{products}}},\"terms\":{{\"OnDemand\":{{{terms}}}}}}}")
                }
            };
            self.buffer = text.into_bytes();
            self.next += 1;
        }
        let count = into.len().min(self.buffer.len());
        into[..count].copy_from_slice(&self.buffer[..count]);
        self.buffer.drain(..count);
        Ok(count)
    }
}

#[test]
fn a_long_list_is_read_to_its_end() {
    let catalog = Catalog::builtin().expect("a catalog");
    let list = Endless { products: 20_000, next: 0, buffer: Vec::new() };
    let reader = std::io::BufReader::new(list);
    let list = catalog.read_aws_prices(reader, &file()).expect("a list");
    assert_eq!(list.offers.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_strangers_write_never_panics(text in "[\\[\\]{}:,\"a-zA-Z0-9. -]{0,300}") {
        let catalog = Catalog::builtin().expect("a catalog");
        let _ = catalog.read_aws_prices(text.as_bytes(), &file());
        let _ = catalog.read_azure_prices(text.as_bytes(), &file());
    }
}
