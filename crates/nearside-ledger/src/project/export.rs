//! The ledger for other programs: CSV, JSON Lines, Parquet, CodeCarbon's `emissions.csv`, FOCUS.
//!
//! Text is UTF-8. A number is written with as many digits as make it the same number again; a
//! decimal amount as it was recorded. What is not known is an empty field in CSV and `null` in JSON.

mod codecarbon;
mod focus;
mod parquet;

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::error::{At as _, LedgerError};
use crate::project::query::cells;
use crate::project::{ProjectLedger, Recorded, Row, Table};

/// A column of a foreign format: its name, and what a row has for it.
type Field<R> = (&'static str, fn(&Recorded<R>) -> Option<String>);

/// A column that we know nothing for.
const fn unknown<R>(_row: &Recorded<R>) -> Option<String> {
    None
}

impl ProjectLedger {
    /// Writes a table as CSV (RFC 4180): a header, then a record per row in the order of recording.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_csv(&self, table: Table, out: &mut dyn Write) -> Result<(), LedgerError> {
        let moment = self.file.moment()?;
        let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        let names = table.columns().iter().map(|column| column.name);
        csv.write_record(std::iter::once("entry").chain(names)).map_err(unwritten)?;
        let sqlite = |error: rusqlite::Error| error.at(self.file.path());
        let mut select = moment.prepare(&table.select("ORDER BY entry")).map_err(sqlite)?;
        let mut rows = select.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (entry, cells) = cells(table, row).map_err(sqlite)?;
            let cells = cells.iter().map(plain);
            csv.write_record(std::iter::once(entry.to_string()).chain(cells)).map_err(unwritten)?;
        }
        csv.flush().map_err(unwritten)
    }

    /// Writes every entry of every table as a JSON object on a line of its own, in the order of
    /// recording: `entry`, `table`, `hash` (the link of the chain), then the columns of its row.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_json_lines(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        const ALL: &str = "SELECT number, held_in, lower(hex(link)) FROM entries ORDER BY number";
        let moment = self.file.moment()?;
        let sqlite = |error: rusqlite::Error| error.at(self.file.path());
        let mut select = moment.prepare(ALL).map_err(sqlite)?;
        let mut rows = select.query([]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (held_in, hash): (String, String) =
                row.get(1).and_then(|held_in| Ok((held_in, row.get(2)?))).map_err(sqlite)?;
            let entry = super::number(row, 0).map_err(sqlite)?;
            let (table, cells) = self.row_of(&moment, entry, &held_in)?;
            let line = json(entry, table, &hash, &cells);
            out.write_all(line.as_bytes()).map_err(unwritten)?;
        }
        out.flush().map_err(unwritten)
    }

    /// Writes the runs that used energy as CodeCarbon's `emissions.csv`.
    ///
    /// One record per execution of a stage or trial: `project_name` is the project, `experiment_id`
    /// the stage (and trial), `run_id` the execution and the entry. Fields that only CodeCarbon
    /// knows are empty.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_code_carbon(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        // The line ends of CodeCarbon itself, so that records can be added to its files.
        let terminator = Terminator::Any(b'\n');
        self.write_fields(codecarbon::FIELDS, codecarbon::WANTED, terminator, out)
    }

    /// Writes the charges as rows of FOCUS 1.2, with two columns of our own (`x_...`): how the
    /// amounts are known, and the execution that they paid for.
    ///
    /// FOCUS wants some columns filled that only a provider's invoice can fill; they are empty
    /// where it was not recorded what is in them.
    ///
    /// # Errors
    /// When the file cannot be read or `out` not be written.
    pub fn write_focus(&self, out: &mut dyn Write) -> Result<(), LedgerError> {
        self.write_fields(focus::FIELDS, "ORDER BY entry", Terminator::CRLF, out)
    }

    fn write_fields<R: Row>(
        &self,
        fields: &[Field<R>],
        wanted: &str,
        terminator: Terminator,
        out: &mut dyn Write,
    ) -> Result<(), LedgerError> {
        let moment = self.file.moment()?;
        let mut csv = WriterBuilder::new().terminator(terminator).from_writer(out);
        csv.write_record(fields.iter().map(|(name, _)| name)).map_err(unwritten)?;
        self.each(&moment, wanted, [], |row: Recorded<R>| {
            let values = fields.iter().map(|(_, value)| value(&row).unwrap_or_default());
            csv.write_record(values).map_err(unwritten)
        })?;
        csv.flush().map_err(unwritten)
    }

    /// The row of an entry.
    fn row_of(
        &self,
        moment: &Connection,
        entry: u64,
        held_in: &str,
    ) -> Result<(Table, Vec<Value>), LedgerError> {
        let missing = || LedgerError::Damaged {
            path: self.file.path().to_path_buf(),
            what: format!("entry {entry}: its row in {held_in} is missing"),
        };
        let table = Table::named(held_in).ok_or_else(missing)?;
        let found = || {
            let mut select = moment.prepare_cached(&table.select("WHERE entry = ?1"))?;
            let mut rows = select.query([entry as i64])?;
            rows.next()?.map(|row| cells(table, row)).transpose()
        };
        let found = found().map_err(|error: rusqlite::Error| error.at(self.file.path()))?;
        found.map(|(_, cells)| (table, cells)).ok_or_else(missing)
    }
}

fn unwritten(error: impl Into<io::Error>) -> LedgerError {
    LedgerError::Output { source: error.into() }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null | Value::Blob(_) => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

fn json(entry: u64, table: Table, hash: &str, cells: &[Value]) -> String {
    let mut line =
        format!("{{\"entry\":{entry},\"table\":\"{}\",\"hash\":\"{hash}\"", table.name());
    for (column, cell) in table.columns().iter().zip(cells) {
        let value = match cell {
            Value::Null | Value::Blob(_) => serde_json::Value::Null,
            Value::Integer(number) => (*number).into(),
            Value::Real(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
        };
        line.push_str(&format!(",\"{}\":{value}", column.name));
    }
    line.push_str("}\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Place, artifact, fill, run, spend};
    use crate::project::{Outcome, RunRow, SampleRow};

    /// What a filled ledger writes.
    fn written(
        name: &str,
        write: impl Fn(&ProjectLedger, &mut dyn Write) -> Result<(), LedgerError>,
    ) -> String {
        let place = Place::new(&format!("export-{name}"));
        let mut ledger = place.ledger();
        fill(&mut ledger);
        ledger.add(&run("deploy", Outcome::Cached)).unwrap();
        let mut out = Vec::new();
        write(&ledger, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_have_these_columns() {
        let header = |table: Table| {
            let text = written(table.name(), |ledger, out| ledger.write_csv(table, out));
            text.lines().next().unwrap().to_owned()
        };
        assert_eq!(header(Table::Plans), "entry,id,at,project,objective,plan_json");
        assert_eq!(
            header(Table::Runs),
            "entry,run,project,plan,stage,trial,site,cache_key,outcome,exit_code,began,\
             transfer_seconds,queue_seconds,boot_seconds,run_seconds,predicted_low_seconds,\
             predicted_likely_seconds,predicted_high_seconds,peak_memory_bytes,\
             predicted_memory_bytes,energy_joules,energy_method,cost_amount,cost_currency,\
             operational_grams_co2e,embodied_grams_co2e,energy_at_least_joules,energy_known_parts,failure"
        );
        assert_eq!(header(Table::Samples), "entry,run_entry,seconds,name,unit,value");
        assert_eq!(
            header(Table::Spend),
            "entry,run,basis,provider,publisher,invoice_issuer,invoice_id,billing_account_id,\
             billing_account_name,billing_period_start,billing_period_end,charge_category,\
             charge_description,charge_period_start,charge_period_end,service_category,\
             service_name,billed_amount,list_amount,contracted_amount,effective_amount,currency,\
             pricing_quantity,pricing_unit,pricing_category,list_unit_amount,region_id,\
             resource_id,sku_id"
        );
        assert_eq!(
            header(Table::Movements),
            "entry,at,run,path,from_site,to_site,bytes,digest,class,certificate"
        );
        assert_eq!(header(Table::Artifacts), "entry,run_entry,path,digest,bytes,class");
    }

    #[test]
    fn csv_quotes_what_needs_it_and_ends_lines_as_rfc_4180_says() {
        let place = Place::new("export-quotes");
        let mut ledger = place.ledger();
        let entry = ledger.add(&run("tune", Outcome::Ran)).unwrap();
        ledger.add(&artifact(entry, "say \"a, b\"\nand c")).unwrap();
        let mut out = Vec::new();
        ledger.write_csv(Table::Artifacts, &mut out).unwrap();
        let expected = "entry,run_entry,path,digest,bytes,class\r\n\
            2,1,\"say \"\"a, b\"\"\nand c\",abcd,12,internal\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn json_lines_hold_every_entry_in_order() {
        let text = written("json", |ledger, out| ledger.write_json_lines(out));
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let entries: Vec<u64> = lines.iter().map(|line| line["entry"].as_u64().unwrap()).collect();
        assert_eq!(entries, (1..=crate::example::FILLED + 1).collect::<Vec<_>>());
        let tables: Vec<&str> = lines.iter().map(|line| line["table"].as_str().unwrap()).collect();
        assert_eq!(tables[..3], ["plans", "runs", "samples"]);
        assert_eq!(lines[1]["boot_seconds"], serde_json::Value::Null);
        assert_eq!(lines[1]["peak_memory_bytes"], 17_179_869_184_u64);
        assert_eq!(lines[1]["cost_amount"], "0.155");
        assert_eq!(lines[8]["charge_description"], "1x A10, on demand, \"us-east-1\"");
        let start = "{\"entry\":3,\"table\":\"samples\",\"hash\":\"";
        assert!(text.lines().nth(2).unwrap().starts_with(start));
        let end = "\",\"run_entry\":2,\"seconds\":0.0,\"name\":\"memory\",\"unit\":\"B\",\
            \"value\":1000000000.0}";
        assert!(text.lines().nth(2).unwrap().ends_with(end), "{text}");
    }

    #[test]
    fn emissions_are_what_code_carbon_reads() {
        let text = written("emissions", |ledger, out| ledger.write_code_carbon(out));
        let expected = "timestamp,project_name,run_id,experiment_id,duration,emissions,\
            emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,\
            energy_consumed,water_consumed,country_name,country_iso_code,region,cloud_provider,\
            cloud_region,os,python_version,codecarbon_version,cpu_count,cpu_model,gpu_count,\
            gpu_model,longitude,latitude,ram_total_size,tracking_mode,cpu_utilization_percent,\
            gpu_utilization_percent,ram_utilization_percent,ram_used_gb,on_cloud,pue,wue\n\
            2026-11-23T12:00:00,support-assistant,r1/2,tune,7200,0.18,0.000024999999999999998,,,,,,,0.5,,,,,,,,,,\
            ,,,,,,,,,,,,,,\n\
            2026-11-23T12:00:00,support-assistant,r1/11,evaluate,7200,0.18,0.000024999999999999998,,,,,,,0.5,,,,,\
            ,,,,,,,,,,,,,,,,,,,\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_not_known_of_a_run_is_no_emission_of_zero() {
        let place = Place::new("export-unknown");
        let mut ledger = place.ledger();
        let unknown = RunRow {
            trial: "rank=8".to_owned(),
            run_seconds: None,
            energy_joules: None,
            energy_method: None,
            operational_grams_co2e: None,
            ..run("tune", Outcome::Interrupted)
        };
        ledger.add(&unknown).unwrap();
        let mut out = Vec::new();
        ledger.write_code_carbon(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let fields: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
        let known = ["2026-11-23T10:00:00", "support-assistant", "r1/1", "tune/rank=8"];
        assert_eq!(fields[..4], known);
        assert_eq!(fields.len(), 38);
        assert!(fields[4..].iter().all(|field| field.is_empty()), "{text}");
    }

    #[test]
    fn charges_are_rows_of_focus() {
        let text = written("focus", |ledger, out| ledger.write_focus(out));
        let expected = "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,\
            BillingPeriodEnd,BillingPeriodStart,ChargeCategory,ChargeClass,ChargeDescription,\
            ChargePeriodEnd,ChargePeriodStart,ContractedCost,EffectiveCost,InvoiceId,\
            InvoiceIssuerName,ListCost,ListUnitPrice,PricingCategory,PricingQuantity,PricingUnit,\
            ProviderName,PublisherName,RegionId,ResourceId,ServiceCategory,ServiceName,SkuId,\
            x_NearsideBasis,x_NearsideRun\r\n\
            1.50,,,USD,,,Usage,,\"1x A10, on demand, \"\"us-east-1\"\"\",2026-11-23T12:00:00Z,\
            2026-11-23T10:00:00Z,,,,Lambda,1.50,0.75,Standard,2,Hours,Lambda,,us-east-1,,Compute,\
            On-Demand Cloud,,computed,r1\r\n\
            -0.25,,,USD,,,Usage,,\"1x A10, on demand, \"\"us-east-1\"\"\",2026-11-23T12:00:00Z,\
            2026-11-23T10:00:00Z,,,,Lambda,1.50,0.75,Standard,2,Hours,Lambda,,us-east-1,,Compute,\
            On-Demand Cloud,,computed,r1\r\n";
        assert_eq!(text, expected);
    }

    /// The columns that FOCUS 1.2 wants in every data set.
    #[test]
    fn every_mandatory_column_of_focus_is_there() {
        const MANDATORY: [&str; 21] = [
            "BilledCost",
            "BillingAccountId",
            "BillingAccountName",
            "BillingCurrency",
            "BillingPeriodEnd",
            "BillingPeriodStart",
            "ChargeCategory",
            "ChargeClass",
            "ChargeDescription",
            "ChargePeriodEnd",
            "ChargePeriodStart",
            "ContractedCost",
            "EffectiveCost",
            "InvoiceIssuerName",
            "ListCost",
            "PricingQuantity",
            "PricingUnit",
            "ProviderName",
            "PublisherName",
            "ServiceCategory",
            "ServiceName",
        ];
        for name in MANDATORY {
            assert!(focus::FIELDS.iter().any(|(field, _)| *field == name), "{name}");
        }
    }

    #[test]
    fn numbers_are_written_so_that_they_are_read_as_the_same() {
        let place = Place::new("export-numbers");
        let mut ledger = place.ledger();
        let entry = ledger.add(&run("tune", Outcome::Ran)).unwrap();
        let numbers = [0.1, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, -5e-324, 1e21];
        for value in numbers {
            ledger.add(&SampleRow { value, ..crate::example::sample(entry, 0.0) }).unwrap();
        }
        let mut out = Vec::new();
        ledger.write_csv(Table::Samples, &mut out).unwrap();
        let mut reader = csv::Reader::from_reader(out.as_slice());
        let mut records = reader.records().map(|record| record.unwrap()[5].parse().unwrap());
        let read: [f64; 6] = std::array::from_fn(|_| records.next().unwrap());
        assert_eq!(read.map(f64::to_bits), numbers.map(f64::to_bits));
    }

    #[test]
    fn an_output_that_takes_nothing_is_told() {
        /// A disk without room.
        struct Full;
        impl Write for Full {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let place = Place::new("export-full");
        let mut ledger = place.ledger();
        ledger.add(&spend("1")).unwrap();
        for written in [
            ledger.write_csv(Table::Spend, &mut Full),
            ledger.write_json_lines(&mut Full),
            ledger.write_code_carbon(&mut Full),
            ledger.write_focus(&mut Full),
        ] {
            assert!(matches!(written, Err(LedgerError::Output { .. })));
        }
    }
}
