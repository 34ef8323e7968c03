//! What can be found: kinds of personal data and secrets.

use std::fmt;
use std::str::FromStr;

use nearside_policy::Class;
use thiserror::Error;

macro_rules! entities {
    ($($variant:ident $name:literal $group:ident $what:literal,)+) => {
        /// A kind of personal data or secret. The order is the order of reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Entity {
            $(#[doc = $what] $variant,)+
        }

        impl Entity {
            /// Every kind, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in reports: upper case, stable.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it is, in words.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }

            /// The group it belongs to.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)+ }
            }
        }
    };
}

/// What kinds have in common: why they matter and who may never see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Names, addresses, dates of birth: about a person.
    Person,
    /// Ways to reach a person.
    Contact,
    /// Numbers that a state gave a person.
    National,
    /// Accounts and cards.
    Financial,
    /// Health care.
    Health,
    /// Devices and vehicles that lead to a person.
    Device,
    /// What opens something: it never leaves.
    Secret,
}

entities! {
    Person "PERSON" Person "name of a person",
    Address "ADDRESS" Person "street and number",
    Postcode "POSTCODE" Person "postal code",
    DateOfBirth "DOB" Person "date of birth",
    Geo "GEO" Person "geographic position",
    Username "USERNAME" Person "name of an account",
    Email "EMAIL" Contact "e-mail address",
    Phone "PHONE" Contact "telephone number",
    UsSsn "US_SSN" National "US social security number",
    UsItin "US_ITIN" National "US individual taxpayer number",
    CaSin "CA_SIN" National "Canadian social insurance number",
    UkNino "UK_NINO" National "British national insurance number",
    UkUtr "UK_UTR" National "British unique taxpayer reference",
    AuTfn "AU_TFN" National "Australian tax file number",
    AuMedicare "AU_MEDICARE" Health "Australian Medicare number",
    InAadhaar "IN_AADHAAR" National "Indian Aadhaar number",
    InPan "IN_PAN" National "Indian permanent account number",
    DeTaxId "DE_TAX_ID" National "German tax identification number",
    DeSocialInsurance "DE_SOCIAL_INSURANCE" National "German pension insurance number",
    FrNir "FR_NIR" National "French social security number",
    EsNif "ES_NIF" National "Spanish identity number",
    EsNie "ES_NIE" National "Spanish number of a foreigner",
    ItFiscalCode "IT_FISCAL_CODE" National "Italian fiscal code",
    NlBsn "NL_BSN" National "Dutch citizen service number",
    PlPesel "PL_PESEL" National "Polish PESEL number",
    PlNip "PL_NIP" National "Polish tax number",
    BrCpf "BR_CPF" National "Brazilian taxpayer number",
    ChAhv "CH_AHV" National "Swiss social security number",
    BeNationalNumber "BE_NATIONAL_NUMBER" National "Belgian national number",
    SePersonnummer "SE_PERSONNUMMER" National "Swedish personal number",
    FiHetu "FI_HETU" National "Finnish personal identity code",
    Passport "PASSPORT" National "passport number",
    DriverLicence "DRIVER_LICENCE" National "driving licence number",
    UkNhs "UK_NHS" Health "British NHS number",
    Mrn "MRN" Health "medical record number",
    UsNpi "US_NPI" Health "US national provider identifier",
    Dea "DEA" Health "US DEA registration number",
    CreditCard "CREDIT_CARD" Financial "payment card number",
    Iban "IBAN" Financial "international bank account number",
    Aba "ABA" Financial "US bank routing number",
    BankAccount "BANK_ACCOUNT" Financial "bank account number",
    Crypto "CRYPTO" Financial "address of a crypto wallet",
    Ip "IP" Device "IP address",
    Mac "MAC" Device "hardware address",
    Imei "IMEI" Device "device number of a telephone",
    Vin "VIN" Device "vehicle identification number",
    LicencePlate "LICENCE_PLATE" Device "licence plate",
    PrivateKey "PRIVATE_KEY" Secret "private key",
    Jwt "JWT" Secret "signed web token",
    AwsAccessKey "AWS_ACCESS_KEY" Secret "access key of Amazon Web Services",
    GithubToken "GITHUB_TOKEN" Secret "token of GitHub",
    SlackToken "SLACK_TOKEN" Secret "token of Slack",
    ApiKey "API_KEY" Secret "key or token of a service",
    Password "PASSWORD" Secret "password",
}

impl Entity {
    /// How sensitive data is that holds one. Health is special (GDPR article 9); a secret is no
    /// class of data but is treated as the highest, because it never leaves.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.group() {
            Group::Health | Group::Secret => Class::Special,
            _ => Class::Personal,
        }
    }
}

/// A name that is no kind of finding.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown kind of finding \"{0}\"")]
pub struct UnknownEntity(pub String);

impl FromStr for Entity {
    type Err = UnknownEntity;
    fn from_str(text: &str) -> Result<Self, UnknownEntity> {
        let found = Self::ALL.iter().find(|entity| entity.name().eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| UnknownEntity(text.to_owned()))
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A country whose numbers, streets and names are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "ISO 3166 codes")]
pub enum Locale {
    Us,
    Ca,
    Gb,
    Au,
    In,
    De,
    Fr,
    Es,
    It,
    Nl,
    Pl,
    Br,
}

impl Locale {
    /// Every country, in the order of its codes.
    pub const ALL: [Self; 12] = [
        Self::Us,
        Self::Ca,
        Self::Gb,
        Self::Au,
        Self::In,
        Self::De,
        Self::Fr,
        Self::Es,
        Self::It,
        Self::Nl,
        Self::Pl,
        Self::Br,
    ];
}

impl Locale {
    /// The country of a code in small letters.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        let index = super::name_table::CODES.iter().position(|known| *known == code)?;
        Self::ALL.get(index).copied()
    }
}

/// How much speaks for each country: votes of what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    votes: [u16; 12],
    some: bool,
}

impl Votes {
    /// Adds what speaks for a country.
    pub fn add(&mut self, locale: Locale, weight: u16) {
        if let Some(votes) = self.votes.get_mut(locale as usize) {
            *votes = votes.saturating_add(weight);
            self.some |= weight > 0;
        }
    }

    /// Adds all of another count.
    pub fn merge(&mut self, other: Self) {
        for locale in Locale::ALL {
            self.add(locale, other.of(locale));
        }
    }

    /// What speaks for a country.
    #[must_use]
    pub fn of(&self, locale: Locale) -> u16 {
        self.votes.get(locale as usize).copied().unwrap_or(0)
    }

    /// The country that most speaks for, if one leads.
    #[must_use]
    pub fn leading(&self) -> Option<Locale> {
        if !self.some {
            return None;
        }
        let best = Locale::ALL.into_iter().max_by_key(|locale| self.of(*locale))?;
        let highest = self.of(best);
        let ties = Locale::ALL.into_iter().filter(|locale| self.of(*locale) == highest).count();
        (highest > 0 && ties == 1).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_read_back() {
        for entity in Entity::ALL {
            assert_eq!(entity.name().parse(), Ok(*entity));
            assert!(!entity.what().is_empty());
        }
        assert!("NOTHING".parse::<Entity>().is_err());
        assert_eq!(Entity::Mrn.class(), Class::Special);
        assert_eq!(Entity::Email.class(), Class::Personal);
    }

    #[test]
    fn a_tie_leads_nowhere() {
        let mut votes = Votes::default();
        assert_eq!(votes.leading(), None);
        votes.add(Locale::Nl, 2);
        assert_eq!(votes.leading(), Some(Locale::Nl));
        votes.add(Locale::De, 2);
        assert_eq!(votes.leading(), None);
    }
}
