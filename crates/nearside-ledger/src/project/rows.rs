//! What a project records: one row type per table, each field a column.
//!
//! Boundary types: text and numbers with the unit in the name, whatever the caller's own types are.
//! What is not known is `None`, never zero. New columns are only ever added at the end, and only as
//! `Option`s: what was recorded before then means the same, and has the same hash, as before.

use nearside_units::Currency;

use crate::amount::Amount;
use crate::column::{row, words};
use crate::timestamp::Timestamp;

words! {
    /// How a stage or a trial of it ended.
    Outcome, "ran, cached, restored, failed or interrupted" {
        /// It ran to its end.
        Ran = "ran",
        /// Nothing had changed: its outputs were there already.
        Cached = "cached",
        /// Its outputs were put back from the store.
        Restored = "restored",
        /// It ran and failed, or could not be started.
        Failed = "failed",
        /// It was stopped before its end.
        Interrupted = "interrupted",
    }
}

words! {
    /// What a charge is for (FOCUS 1.2, `ChargeCategory`).
    ChargeCategory, "Usage, Purchase, Tax, Credit or Adjustment" {
        /// A quantity that was used in a period.
        Usage = "Usage",
        /// Something bought at once or by the month.
        Purchase = "Purchase",
        /// Taxes.
        Tax = "Tax",
        /// Granted by the provider.
        Credit = "Credit",
        /// Anything else that the provider puts right.
        Adjustment = "Adjustment",
    }
}

words! {
    /// How an amount of money is known.
    SpendBasis, "invoiced or computed" {
        /// The provider's invoice says so.
        Invoiced = "invoiced",
        /// A price times what was used; the invoice may differ.
        Computed = "computed",
    }
}

words! {
    /// What became of a key.
    KeyEvent, "used or revoked" {
        /// It signs from now on, and what it signed is believed.
        Used = "used",
        /// Nothing that it signed is believed any more.
        Revoked = "revoked",
    }
}

words! {
    /// How far an erasure is.
    ErasureEvent, "begun or done" {
        /// What is to go is known.
        Begun = "begun",
        /// It is gone.
        Done = "done",
    }
}

words! {
    /// What became of a question about people.
    ReleaseWord, "released or refused" {
        /// It was answered, and what it spent is gone for good.
        Released = "released",
        /// It would have spent more than is left.
        Refused = "refused",
    }
}

words! {
    /// What was decided about data that was to go somewhere.
    DecisionWord, "allow, transform or deny" {
        /// It may go as it is.
        Allow = "allow",
        /// Something has to be done to it first.
        Transform = "transform",
        /// It may not go.
        Deny = "deny",
    }
}

row! {
    /// A plan: where each stage was to run, and why.
    PlanRow in Plans {
        /// What runs call it by.
        id: String,
        /// When it was made.
        at: Timestamp,
        /// The name of the project.
        project: String,
        /// What it minimises, under which limits, in words.
        objective: String,
        /// The plan itself, as JSON.
        plan_json: String,
    }
}

row! {
    /// One execution of a stage, or of one trial of it.
    RunRow in Runs {
        /// What the execution of the whole project is called; its stages share it.
        run: String,
        /// The name of the project.
        project: String,
        /// The plan that was followed, by its id.
        plan: Option<String>,
        /// The stage.
        stage: String,
        /// The trial; empty where the stage has none.
        trial: String,
        /// The site that it ran on.
        site: String,
        /// The stage's cache key, as hexadecimal digits.
        cache_key: String,
        /// How it ended.
        outcome: Outcome,
        /// What its process exited with.
        exit_code: Option<i64>,
        /// When it began.
        began: Timestamp,
        /// Time that moving data to and from the site took.
        transfer_seconds: Option<f64>,
        /// Time that it waited for its turn.
        queue_seconds: Option<f64>,
        /// Time until the machine and its environment were ready.
        boot_seconds: Option<f64>,
        /// Time that its command took.
        run_seconds: Option<f64>,
        /// The low end of what was estimated for `run_seconds`.
        predicted_low_seconds: Option<f64>,
        /// What was estimated as likely for `run_seconds`.
        predicted_likely_seconds: Option<f64>,
        /// The high end of what was estimated for `run_seconds`.
        predicted_high_seconds: Option<f64>,
        /// The most memory that it held.
        peak_memory_bytes: Option<u64>,
        /// What was estimated for `peak_memory_bytes`.
        predicted_memory_bytes: Option<u64>,
        /// Energy that it used, all of it; nothing where some part of the machine is not known.
        energy_joules: Option<f64>,
        /// How that energy is known: measured, sampled, modelled, nameplate.
        energy_method: Option<String>,
        /// What it cost.
        cost_amount: Option<Amount>,
        /// The currency of its cost.
        cost_currency: Option<Currency>,
        /// Greenhouse gases of the energy that it used, with the average intensity of the place.
        operational_grams_co2e: Option<f64>,
        /// Its share of the greenhouse gases of making the machine.
        embodied_grams_co2e: Option<f64>,
        /// Energy of the parts of the machine that are known, where some are not: the least that it can be.
        energy_at_least_joules: Option<f64>,
        /// Those parts, each with how it is known: `processor measured, memory measured`.
        energy_known_parts: Option<String>,
        /// Why it failed, in one line: how its command ended, and what that said last where its data may be told.
        failure: Option<String>,
    }
}

row! {
    /// A reading while something ran.
    SampleRow in Samples {
        /// The entry of the run that it belongs to.
        run_entry: u64,
        /// Seconds since the run began.
        seconds: f64,
        /// What was read.
        name: String,
        /// The unit of the reading.
        unit: String,
        /// The reading.
        value: f64,
    }
}

row! {
    /// A charge of a provider, in the terms of FOCUS 1.2 (FinOps Open Cost and Usage Specification).
    SpendRow in Spend {
        /// The execution of the project that it paid for.
        run: Option<String>,
        /// How the amounts are known.
        basis: SpendBasis,
        /// Who made the service available.
        provider: String,
        /// Who made what was sold.
        publisher: Option<String>,
        /// Who sends the invoice.
        invoice_issuer: Option<String>,
        /// The invoice.
        invoice_id: Option<String>,
        /// The account that is charged.
        billing_account_id: Option<String>,
        /// What that account is called.
        billing_account_name: Option<String>,
        /// Begin of the billing period.
        billing_period_start: Option<Timestamp>,
        /// End of the billing period, itself outside.
        billing_period_end: Option<Timestamp>,
        /// What the charge is for.
        charge_category: ChargeCategory,
        /// What was bought and for how much, in words.
        charge_description: Option<String>,
        /// Begin of what is charged.
        charge_period_start: Timestamp,
        /// End of what is charged, itself outside.
        charge_period_end: Timestamp,
        /// FOCUS's category of the service: Compute, Storage, Networking, ...
        service_category: String,
        /// The provider's name of the service.
        service_name: String,
        /// What is or will be on the invoice.
        billed_amount: Amount,
        /// The amount at the published price.
        list_amount: Option<Amount>,
        /// The amount at the agreed price.
        contracted_amount: Option<Amount>,
        /// The amount with prepaid parts spread over what they paid for.
        effective_amount: Option<Amount>,
        /// The currency of every amount of this row.
        currency: Currency,
        /// How much is charged, in `pricing_unit`.
        pricing_quantity: Option<Amount>,
        /// The unit that the price is for, as in `Hours`.
        pricing_unit: Option<String>,
        /// FOCUS's category of the price: Standard, Dynamic, Committed or Other.
        pricing_category: Option<String>,
        /// The published price of one unit.
        list_unit_amount: Option<Amount>,
        /// The provider's region.
        region_id: Option<String>,
        /// What was used, by the provider's name.
        resource_id: Option<String>,
        /// The provider's price item.
        sku_id: Option<String>,
    }
}

row! {
    /// Data that went from one site to another.
    MovementRow in Movements {
        /// When.
        at: Timestamp,
        /// The execution of the project that needed it.
        run: Option<String>,
        /// What, by its path in the project.
        path: String,
        /// The site that it came from.
        from_site: String,
        /// The site that it went to.
        to_site: String,
        /// How much.
        bytes: u64,
        /// Digest of its content.
        digest: String,
        /// How sensitive it is: public, internal, personal or special.
        class: String,
        /// The certificate that let it go, where one was needed.
        certificate: Option<String>,
    }
}

row! {
    /// A file that a run made.
    ArtifactRow in Artifacts {
        /// The entry of the run that made it.
        run_entry: u64,
        /// Its path in the project.
        path: String,
        /// Digest of its content.
        digest: String,
        /// Its size.
        bytes: u64,
        /// How sensitive it is: public, internal, personal or special.
        class: String,
    }
}

row! {
    /// A public key that signs certificates, and what became of it.
    KeyRow in Keys {
        /// When.
        at: Timestamp,
        /// The key: the public half of an Ed25519 pair, as hexadecimal digits.
        public_key: String,
        /// What became of it.
        event: KeyEvent,
        /// Why, where it was revoked.
        reason: Option<String>,
    }
}

row! {
    /// What was decided about data that was to be handed on or sent, and why. Never a value of it.
    DecisionRow in Decisions {
        /// When.
        at: Timestamp,
        /// The stage that made the data, where one did.
        stage: Option<String>,
        /// What, by its path in the project.
        path: String,
        /// BLAKE3 digest of its content, as hexadecimal digits.
        blake3: String,
        /// The class that it was held to.
        class: String,
        /// Where it was to go: the name of a site, or `here` for the stages that read it.
        destination: String,
        /// What was decided.
        decision: DecisionWord,
        /// Why.
        reason: String,
        /// Digest of the policy in force: of what sites are cleared for, and where they may be.
        policy_digest: String,
        /// How many things of each kind were found in it, an object as JSON.
        findings_json: String,
    }
}

row! {
    /// The hash that stands for all entries before this one, signed.
    HeadRow in Heads {
        /// When.
        at: Timestamp,
        /// For how many entries it stands: all before this one.
        size: u64,
        /// The root of their tree, as hexadecimal digits.
        root: String,
        /// The key that signed it.
        public_key: String,
        /// The signed note (C2SP `tlog-checkpoint`).
        note: String,
    }
}

row! {
    /// Content that was taken out for good: its digests stay, and why.
    ErasureRow in Erasures {
        /// When.
        at: Timestamp,
        /// How far it is: what is to go is written down before it goes.
        event: ErasureEvent,
        /// `dataset` or `subject`.
        scope: String,
        /// The name of the dataset; of a person a keyed digest of what was looked for.
        name: String,
        /// Why, where it was said.
        reason: Option<String>,
        /// How many results of stages.
        results: u64,
        /// How many outputs in the project's folder.
        outputs: u64,
        /// How many logs.
        logs: u64,
        /// How many values of the vault.
        vault_values: u64,
        /// The digests of all of them, a list as JSON.
        digests_json: String,
    }
}

row! {
    /// A question about the people in a dataset, answered with noise, and what that spent of its budget.
    ReleaseRow in Releases {
        /// When; what is spent is written down before the answer is given.
        at: Timestamp,
        /// The dataset.
        dataset: String,
        /// BLAKE3 digest of its content, as hexadecimal digits.
        blake3: String,
        /// What was asked, as JSON.
        query_json: String,
        /// What became of it.
        decision: ReleaseWord,
        /// What it spent, or would have, in pure differential privacy; nothing where that is not its measure.
        epsilon: Option<f64>,
        /// The same in concentrated differential privacy.
        rho: Option<f64>,
        /// What is left after it, or why it was refused, in words.
        reason: String,
    }
}

row! {
    /// What lowers the class of an artifact. What counts is the signed envelope; the other columns are
    /// what it says, to be looked for.
    CertificateRow in Certificates {
        /// When it was made.
        at: Timestamp,
        /// The stage that made the artifact, where one did.
        stage: Option<String>,
        /// The artifact's path in the project.
        path: String,
        /// BLAKE3 digest of its content, as hexadecimal digits.
        blake3: String,
        /// SHA-256 digest of its content, as hexadecimal digits.
        sha256: String,
        /// The class it would have without this.
        from_class: String,
        /// The class it has by this.
        to_class: String,
        /// On which ground, by its name.
        ground: String,
        /// Digest of the rules that it was scanned by.
        rules_digest: String,
        /// The key that signed it.
        public_key: String,
        /// The signed statement: a DSSE envelope as JSON.
        envelope_json: String,
    }
}
