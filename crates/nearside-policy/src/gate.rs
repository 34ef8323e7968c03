//! The gate: the one way in which data gets leave to go somewhere.
//!
//! A function that sends bytes off the machine takes a [`Cleared`], and only [`Gate::pass`] makes one.
//! What it holds against a place is not what somebody says of the data but the highest of three: the
//! class that was declared, that of what it was made from, and that of what a look into it found. Only
//! a [`Proven`] certificate for exactly this content lowers it.

use std::fmt;

use thiserror::Error;

use crate::{Class, Decision, Digests, Ground, Hash, Place, Policy, Proven, Refusal, Unfit};

/// What a look into data found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The content that was looked at, and that may be sent then.
    pub digests: Digests,
    /// The highest class of what was found in it; public where nothing was.
    pub found: Class,
    /// Secrets in it: keys, tokens, passwords.
    pub secrets: u64,
    /// Contents that could not be judged.
    pub unreadable: u64,
    /// The digest of the rules that were gone by.
    pub rules: Hash,
}

/// Data that can be looked into before it is sent.
pub trait Inspect {
    /// Looks at everything in it.
    ///
    /// # Errors
    /// When it cannot be read at all.
    fn inspect(&self) -> Result<Inspection, String>;
}

/// What is known of data before anybody looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The class that somebody declared; personal where nobody did.
    pub declared: Option<Class>,
    /// The highest class of what it was made from.
    pub parents: Class,
}

/// Where data is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// What it may hold, and where it is.
    pub place: Place,
    /// Whose it is.
    pub owner: Owner,
    /// What keeps others from reading along.
    pub encryption: Encryption,
}

/// Whose a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Ours.
    Ourselves,
    /// Somebody's who processes data for us, under a contract (GDPR article 28).
    Processor,
    /// Somebody else's.
    Other,
}

/// What keeps others from reading along, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encryption {
    /// Nothing that is known.
    None,
    /// On the way.
    InTransit,
    /// On the way, and where it lies.
    AtRest,
}

/// What may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may go as it is.
    Allow,
    /// It may go once something was done to it.
    Transform(Transform),
    /// It may not go.
    Deny(Denial),
}

/// What has to be done to data first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// A copy of it that a certificate lowers to this class.
    Lower(Class),
    /// Keep others from reading along, at least so far.
    Encrypt(Encryption),
}

/// Why data may not go somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// What the place is cleared for, or where it is.
    Place(Refusal),
    /// Whose it is: nobody who processes data for us.
    Owner(Class),
}

/// Why the gate let something not pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Stopped {
    /// It could not be looked into.
    #[error("it cannot be looked into: {0}")]
    Closed(String),
    /// There are secrets in it. They go nowhere, whoever decided what.
    #[error("there are {0} secrets in it, which never leave")]
    Secrets(u64),
    /// Parts of it could not be judged, and nobody decided about them.
    #[error("{0} contents in it could not be judged")]
    Unreadable(u64),
    /// Something has to be done to it first.
    #[error("it is {class} data: {transform}")]
    Transform {
        /// Its class.
        class: Class,
        /// What has to be done.
        transform: Transform,
    },
    /// It may not go.
    #[error("{0}")]
    Denied(Denial),
}

/// The gate of a project.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    policy: &'a Policy,
}

impl<'a> Gate<'a> {
    /// The gate that keeps these rules.
    #[must_use]
    pub const fn of(policy: &'a Policy) -> Self {
        Self { policy }
    }

    /// What may be done with data of a class.
    ///
    /// Internal data needs a place that holds it and an encrypted way; people's data also an owner who
    /// answers for it; of the special categories nothing lies unencrypted. What is not known of a place
    /// speaks against it.
    #[must_use]
    pub fn decide(&self, class: Class, to: &Destination) -> Leave {
        if let Decision::Refused(refusal) = self.policy.decide(class, &to.place) {
            let Refusal::Clearance { clearance, .. } = refusal else {
                return Leave::Deny(Denial::Place(refusal));
            };
            // A copy of the class that the place is cleared for could go, if the rest allows it.
            return match self.decide(clearance.0, to) {
                Leave::Deny(_) => Leave::Deny(Denial::Place(refusal)),
                _ => Leave::Transform(Transform::Lower(clearance.0)),
            };
        }
        if class >= Class::Personal && to.owner == Owner::Other {
            return Leave::Deny(Denial::Owner(class));
        }
        let needed = match class {
            Class::Public => Encryption::None,
            Class::Internal | Class::Personal => Encryption::InTransit,
            Class::Special => Encryption::AtRest,
        };
        match to.encryption >= needed {
            true => Leave::Allow,
            false => Leave::Transform(Transform::Encrypt(needed)),
        }
    }

    /// Lets data pass: looks into it, finds its class, and decides.
    ///
    /// # Errors
    /// Why it may not go as it is.
    pub fn pass<T: Inspect>(
        &self,
        parcel: T,
        origin: Origin,
        certificate: Option<&Proven>,
        to: &Destination,
    ) -> Result<Cleared<T>, Stopped> {
        let seen = parcel.inspect().map_err(Stopped::Closed)?;
        if seen.secrets > 0 {
            return Err(Stopped::Secrets(seen.secrets));
        }
        let decided = certificate.filter(|proven| decides(proven, &seen));
        if seen.unreadable > 0 && decided.is_none() {
            return Err(Stopped::Unreadable(seen.unreadable));
        }
        let class = class(origin, &seen, certificate);
        match self.decide(class, to) {
            Leave::Allow => {
                let destination = to.name.clone();
                Ok(Cleared { parcel, digests: seen.digests, class, destination })
            }
            Leave::Transform(transform) => Err(Stopped::Transform { class, transform }),
            Leave::Deny(denial) => Err(Stopped::Denied(denial)),
        }
    }
}

/// Whether a person decided about exactly this content.
fn decides(proven: &Proven, seen: &Inspection) -> bool {
    let certificate = proven.certificate();
    let expert = matches!(certificate.ground, Ground::Expert(_));
    expert && certificate.subject.digests == seen.digests
}

/// The class of data: the highest of what was declared, what it was made from and what was found in it,
/// lowered by a certificate for this content and these rules. A certificate of a scan says nothing about what
/// a scan finds today; only a person's does.
#[must_use]
pub fn class(origin: Origin, seen: &Inspection, certificate: Option<&Proven>) -> Class {
    let said = origin.declared.unwrap_or(Class::Personal).max(origin.parents);
    let fits = |proven: &&Proven| {
        let fits = proven.certificate().fits(&seen.digests, Class::Special, seen.rules);
        !matches!(fits, Err(Unfit::Content | Unfit::Rules))
    };
    match certificate.filter(fits) {
        None => said.max(seen.found),
        Some(proven) if decides(proven, seen) => said.max(seen.found).min(proven.certificate().to),
        Some(proven) => said.min(proven.certificate().to).max(seen.found),
    }
}

/// Data that may go to one place: what was looked at, and nothing else.
///
/// Whoever sends it compares the digest of what was sent with [`Cleared::digests`]. Only
/// [`Gate::pass`] makes one:
///
/// ```compile_fail,E0451
/// # use nearside_policy::{Class, Cleared, Digests};
/// fn forged(digests: Digests) -> Cleared<Vec<u8>> {
///     let destination = String::new();
///     Cleared { parcel: vec![1], digests, class: Class::Public, destination }
/// }
/// ```
#[derive(Debug)]
pub struct Cleared<T> {
    parcel: T,
    digests: Digests,
    class: Class,
    destination: String,
}

impl<T> Cleared<T> {
    /// The data.
    #[must_use]
    pub const fn parcel(&self) -> &T {
        &self.parcel
    }

    /// The content that was looked at.
    #[must_use]
    pub const fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Where it may go.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.destination
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lower(class) => {
                write!(formatter, "a copy that a certificate lowers to {class} may go")
            }
            Self::Encrypt(Encryption::AtRest) => {
                formatter.write_str("it has to be encrypted on the way and where it lies")
            }
            Self::Encrypt(_) => formatter.write_str("it has to be encrypted on the way"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(refusal) => refusal.fmt(formatter),
            Self::Owner(class) => write!(
                formatter,
                "{class} data goes to ourselves and to who processes it for us under a contract"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::tests::{certificate, expert};
    use crate::envelope::tests::Toy;
    use crate::{Area, Certificate, Clearance};
    use nearside_units::Known;

    fn to(clearance: Class, owner: Owner, encryption: Encryption) -> Destination {
        let country = Known::Value("DE".parse().unwrap());
        let place = Place { clearance: Clearance(clearance), country };
        Destination { name: "lab".to_owned(), place, owner, encryption }
    }

    #[test]
    fn the_table_of_decisions() {
        use Class::{Internal, Personal, Public, Special};
        use Encryption::{AtRest, InTransit};
        let policy = Policy { jurisdiction: vec![Area::EuropeanUnion] };
        let gate = Gate::of(&policy);
        let allow = || Leave::Allow;
        let lower = |class| Leave::Transform(Transform::Lower(class));
        let encrypt = |encryption| Leave::Transform(Transform::Encrypt(encryption));
        let (ours, theirs) = (Owner::Ourselves, Owner::Other);
        for (class, to, expected) in [
            (Public, to(Public, theirs, Encryption::None), allow()),
            (Internal, to(Internal, theirs, InTransit), allow()),
            (Internal, to(Internal, ours, Encryption::None), encrypt(InTransit)),
            (Personal, to(Personal, ours, InTransit), allow()),
            (Personal, to(Special, Owner::Processor, AtRest), allow()),
            (Personal, to(Special, theirs, AtRest), Leave::Deny(Denial::Owner(Personal))),
            (Personal, to(Internal, theirs, InTransit), lower(Internal)),
            (Special, to(Special, ours, InTransit), encrypt(AtRest)),
            (Special, to(Personal, ours, AtRest), lower(Personal)),
        ] {
            assert_eq!(gate.decide(class, &to), expected, "{class} {to:?}");
        }
        let mut nowhere = to(Special, ours, AtRest);
        nowhere.place.country = Known::unknown("not stated");
        assert_eq!(gate.decide(Public, &nowhere), allow());
        for class in [Internal, Personal, Special] {
            assert!(matches!(gate.decide(class, &nowhere), Leave::Deny(Denial::Place(_))));
        }
    }

    #[derive(Debug)]
    struct Parcel(Inspection);

    impl Inspect for Parcel {
        fn inspect(&self) -> Result<Inspection, String> {
            Ok(self.0.clone())
        }
    }

    fn seen(found: Class) -> Inspection {
        let certificate = certificate();
        let digests = certificate.subject.digests;
        Inspection { digests, found, secrets: 0, unreadable: 0, rules: certificate.by.rules }
    }

    fn proven(certificate: Certificate) -> Proven {
        Proven::seal(certificate, &Toy(1)).0
    }

    #[test]
    fn a_class_is_the_highest_and_a_certificate_lowers_it() {
        let origin = |declared, parents| Origin { declared, parents };
        let personal = origin(None, Class::Public);
        assert_eq!(class(personal, &seen(Class::Public), None), Class::Personal);
        let internal = origin(Some(Class::Internal), Class::Special);
        assert_eq!(class(internal, &seen(Class::Public), None), Class::Special);
        let public = origin(Some(Class::Public), Class::Public);
        assert_eq!(class(public, &seen(Class::Personal), None), Class::Personal);
        let (scan, person) = (proven(certificate()), proven(expert()));
        assert_eq!(class(internal, &seen(Class::Public), Some(&scan)), Class::Internal);
        // It raises nothing.
        assert_eq!(class(public, &seen(Class::Public), Some(&scan)), Class::Public);
        assert_eq!(class(internal, &seen(Class::Personal), Some(&scan)), Class::Personal);
        assert_eq!(class(internal, &seen(Class::Personal), Some(&person)), Class::Internal);
        let other = Inspection { rules: Hash([9; 32]), ..seen(Class::Public) };
        assert_eq!(class(internal, &other, Some(&scan)), Class::Special);
        assert_eq!(class(internal, &other, Some(&person)), Class::Internal);
        let digests = Digests { blake3: Hash([9; 32]), ..seen(Class::Public).digests };
        let changed = Inspection { digests, ..seen(Class::Public) };
        for proven in [&scan, &person] {
            assert_eq!(class(internal, &changed, Some(proven)), Class::Special);
        }
    }

    #[test]
    fn what_passes_is_what_was_looked_at() {
        let policy = Policy::default();
        let gate = Gate::of(&policy);
        let lab = to(Class::Internal, Owner::Processor, Encryption::InTransit);
        let origin = Origin { declared: Some(Class::Internal), parents: Class::Personal };
        let pass = |seen, proven| gate.pass(Parcel(seen), origin, proven, &lab);
        let scan = proven(certificate());
        let cleared = pass(seen(Class::Public), Some(&scan)).unwrap();
        assert_eq!((cleared.class(), cleared.destination()), (Class::Internal, "lab"));
        assert_eq!(*cleared.digests(), cleared.parcel().0.digests);
        let refused = pass(seen(Class::Public), None).unwrap_err();
        let expected = "it is personal data: a copy that a certificate lowers to internal may go";
        assert_eq!(refused.to_string(), expected);
        let sealed = Inspection { unreadable: 2, ..seen(Class::Public) };
        assert_eq!(pass(sealed.clone(), Some(&scan)).unwrap_err(), Stopped::Unreadable(2));
        let person = proven(expert());
        assert!(pass(sealed, Some(&person)).is_ok());
        let opening = Inspection { secrets: 1, ..seen(Class::Public) };
        assert_eq!(pass(opening, Some(&person)).unwrap_err(), Stopped::Secrets(1));
    }
}
