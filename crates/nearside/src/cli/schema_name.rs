//! The documents whose schemas `config show --schema` prints.

use clap::ValueEnum;

/// The schemas that are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// nearside.toml
    Project,
    /// Data of `plan --json`
    Plan,
    /// Data of `fit MODEL --json`
    Fit,
    /// Data of `fit --json` without a model
    FitList,
    /// Data of `run --json`
    Run,
    /// Data of `why --json`
    Why,
    /// Data of `profile --json`
    Profile,
    /// Data of `iteration --json`
    Iteration,
    /// Data of a command that has no answer
    Unknown,
    /// Data of `roi --json`
    Roi,
    /// Data of `roi --inputs --json`
    RoiInputs,
    /// Data of `roi --cases FILE --json`
    RoiCases,
    /// Data of `spec --json`
    Spec,
    /// Data of `spec --classes --json`
    SpecClasses,
    /// Data of `resilience --json`
    Resilience,
    /// Data of `carbon --json`
    Carbon,
    /// Data of `bill --json`
    Bill,
    /// Data of `cache list --json` and `cache prune --json`
    Cache,
    /// `nearside cache reseal`
    CacheReseal,
    /// Data of `privacy anonymize --json`
    Logs,
    /// `nearside privacy anonymize`
    PrivacyAnonymize,
    /// The answer of `privacy anonymize --k --json`
    PrivacyAnonymizeTable,
    /// Data of `privacy risk --json`
    PrivacyRisk,
    /// Data of `privacy release --json`
    PrivacyRelease,
    /// Data of `privacy account --json`
    PrivacyAccount,
    /// `nearside privacy reveal`
    PrivacyReveal,
    /// `nearside privacy erase`
    PrivacyErase,
    /// `nearside privacy audit verify`
    PrivacyAuditVerify,
    /// `nearside privacy audit head`
    PrivacyAuditHead,
    /// `nearside privacy audit list`
    PrivacyAuditList,
    /// `nearside privacy audit check`
    PrivacyAuditCheck,
    /// `nearside privacy audit document`
    PrivacyAuditDocument,
    /// Data of `ledger list --json`
    LedgerList,
    /// Data of `ledger show --json`
    LedgerShow,
    /// Data of `ledger accuracy --json`
    LedgerAccuracy,
    /// Data of `ledger verify --json`
    LedgerVerify,
    /// Data of `privacy certify ARTIFACT --json`
    PrivacyCertify,
    /// Data of `privacy certify ARTIFACT --verify --json`
    PrivacyVerify,
    /// Data of `privacy certify --list --json`
    PrivacyCertificates,
    /// Data of `doctor --json`
    Doctor,
    /// Data of `doctor --emit --json`
    DoctorEmit,
    /// Data of `doctor --compare FILE --json`
    DoctorCompare,
    /// Data of `doctor --power --json`
    DoctorPower,
    /// Data of `report --runbook --json`
    Runbook,
    /// Data of `privacy scan --json`
    PrivacyScan,
    /// Data of `config show --json`
    Config,
    /// Data of `catalog list --json`
    CatalogList,
    /// Data of `catalog check --json`
    CatalogCheck,
    /// Data of `catalog refresh --json`
    CatalogRefresh,
    /// Data of `model pull --json`
    ModelPull,
    /// Data of `model list --json`
    ModelList,
    /// Data of `model inspect --json`
    ModelInspect,
    /// Data of `model generate --json`
    ModelGenerate,
    /// Data of `model chat --json`
    ModelChat,
    /// Data of `model serve --json`
    ModelServe,
    /// Data of `model bench --json`
    ModelBench,
    /// Data of `model bench --engine --json`
    ModelBenchElsewhere,
    /// Data of `model engines --json`
    ModelEngines,
    /// Data of `model parity --json`
    ModelParity,
    /// Data of `model quantize --json`
    ModelQuantize,
    /// Data of `model train --json`
    ModelTrain,
}
