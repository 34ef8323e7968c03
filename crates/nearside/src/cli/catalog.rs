//! `nearside catalog`: its arguments.

use clap::{Args, Subcommand, ValueEnum};

/// `nearside catalog`
#[derive(Debug, Subcommand)]
pub(crate) enum Catalog {
    /// List rows of a table
    List(CatalogList),
    /// Show one row with its sources
    Show {
        /// A device, model, offer (provider/instance) or region (provider/region)
        name: String,
    },
    /// Newer prices from a list that a provider publishes
    Refresh(CatalogRefresh),
    /// Rows that lack a second source, are old, or look wrong
    Check {
        /// Only rows of this table
        #[arg(value_enum)]
        table: Option<CatalogTable>,
        /// Age from which a row counts as old
        #[arg(long, default_value = "12 months", value_name = "AGE")]
        older_than: String,
        /// Judge age at this date instead of today
        #[arg(long, value_name = "DATE")]
        today: Option<String>,
    },
}

/// `nearside catalog refresh`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside catalog refresh --from ~/.sky/catalogs/v8/aws/vms.csv
  nearside catalog refresh --from https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/eu-central-1/index.json
  nearside catalog refresh --dry-run --from \"https://prices.azure.com/api/retail/prices?\\$filter=serviceName eq 'Virtual Machines' and armRegionName eq 'westeurope'\"

Lists are read as they come, hundreds of megabytes in a few of memory. Prices of machines that the catalog knows are
laid over its own, each with the list as its source.")]
pub(crate) struct CatalogRefresh {
    /// The list: a file, or an address
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) from: String,
    /// What it is, where that cannot be seen
    #[arg(long, value_enum)]
    pub(crate) format: Option<ListFormat>,
    /// Whose machines a table of SkyPilot has, where its folder does not say
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Formats of price lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// AWS price list of Amazon EC2, JSON
    Aws,
    /// Azure Retail Prices, JSON
    Azure,
    /// SkyPilot's catalog, CSV
    Skypilot,
}

/// `nearside catalog list`
#[derive(Debug, Args)]
pub(crate) struct CatalogList {
    /// Which table
    #[arg(value_enum)]
    pub(crate) table: CatalogTable,
    /// Only rows whose name contains this; offers also take patterns such as 'aws/*'
    pub(crate) filter: Option<String>,
}

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogTable {
    /// Accelerators
    Devices,
    /// Machines to rent
    Offers,
    /// Providers' regions
    Regions,
    /// Electricity grids
    Grids,
    /// Open models
    Models,
    /// Parts that machines are built from, and their prices
    Parts,
    /// Machines that are sold as a whole
    Systems,
}
