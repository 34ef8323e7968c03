//! A signed certificate: a DSSE envelope, and what makes it proven.
//!
//! Source: DSSE 1.0.2 (secure-systems-lab/dsse), `protocol.md` and `envelope.md`. What is signed is
//! not the JSON of the envelope but its pre-authentication encoding:
//! `"DSSEv1" SP length(type) SP type SP length(body) SP body`, lengths in bytes as decimal digits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::statement::{self, StatementError};
use crate::{Certificate, Hash};

/// What the payload of such an envelope is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The bytes of an Ed25519 signature.
pub type Signature = [u8; 64];

/// A key that signs.
pub trait Signer {
    /// The public key, which is also what the key is called by.
    fn public(&self) -> Hash;
    /// The signature of a message.
    fn sign(&self, message: &[u8]) -> Signature;
}

/// Keys whose signatures are believed.
pub trait Trust {
    /// Whether that key may sign, and made this signature of this message.
    ///
    /// # Errors
    /// Why it is not believed.
    fn verify(&self, key: Hash, message: &[u8], signature: &Signature) -> Result<(), Distrust>;
}

/// Why a signature is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Distrust {
    /// Nobody said that the key is one of the project's.
    #[error("it is signed by a key that is none of this project's")]
    Unknown,
    /// The key was revoked.
    #[error("the key that signed it was revoked: {0}")]
    Revoked(String),
    /// The signature is not that of the key for these bytes.
    #[error("its signature is wrong: what it says was altered, or was never signed")]
    Signature,
}

/// Why an envelope holds no certificate that can be relied on.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// It is no such JSON.
    #[error("no DSSE envelope: {0}")]
    Form(#[from] serde_json::Error),
    /// A part of it is wrong.
    #[error("no DSSE envelope of a certificate: {0}")]
    Part(&'static str),
    /// Its signature is not believed.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// What it holds is no certificate.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeFields {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureFields>,
}

#[derive(Serialize, Deserialize)]
struct SignatureFields {
    keyid: String,
    sig: String,
}

/// What is signed of a payload of a type.
///
/// ```
/// // The example of the protocol.
/// let encoded = nearside_policy::pre_authentication("http://example.com/HelloWorld", b"hello world");
/// assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
/// ```
#[must_use]
pub fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A certificate whose signature was verified. Nothing else lowers a class.
///
/// Only [`Proven::open`] and [`Proven::seal`] make one:
///
/// ```compile_fail,E0451
/// # use nearside_policy::{Certificate, Hash, Proven};
/// fn forged(certificate: Certificate) -> Proven {
///     Proven { certificate, key: Hash([0; 32]) }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    certificate: Certificate,
    key: Hash,
}

impl Proven {
    /// Signs a certificate; gives the JSON of its envelope too.
    #[must_use]
    pub fn seal(certificate: Certificate, signer: &dyn Signer) -> (Self, String) {
        let payload = statement::write(&certificate);
        let signature = signer.sign(&pre_authentication(PAYLOAD_TYPE, &payload));
        let key = signer.public();
        let fields = EnvelopeFields {
            payload: STANDARD.encode(&payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![SignatureFields {
                keyid: key.to_string(),
                sig: STANDARD.encode(signature),
            }],
        };
        // Texts only, which JSON can say.
        let json = serde_json::to_string(&fields).unwrap_or_default();
        (Self { certificate, key }, json)
    }

    /// The certificate of an envelope, if one of its signatures is believed.
    ///
    /// # Errors
    /// When it is no envelope of a certificate, or nobody who is believed signed it.
    pub fn open(envelope: &str, trust: &dyn Trust) -> Result<Self, EnvelopeError> {
        let fields: EnvelopeFields = serde_json::from_str(envelope)?;
        if fields.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::Part("its payload is of another type"));
        }
        let payload = STANDARD.decode(&fields.payload);
        let payload = payload.map_err(|_other| EnvelopeError::Part("its payload is no base64"))?;
        let message = pre_authentication(PAYLOAD_TYPE, &payload);
        // Believed first, read then.
        let mut refused = EnvelopeError::Part("nobody signed it");
        for SignatureFields { keyid, sig } in &fields.signatures {
            let signature = STANDARD.decode(sig).ok();
            let signature = signature.and_then(|bytes| Signature::try_from(bytes).ok());
            let (Ok(key), Some(signature)) = (keyid.parse(), signature) else {
                refused = EnvelopeError::Part("its signature is not one of Ed25519");
                continue;
            };
            match trust.verify(key, &message, &signature) {
                Ok(()) => return Ok(Self { certificate: statement::read(&payload)?, key }),
                Err(distrust) => refused = distrust.into(),
            }
        }
        Err(refused)
    }

    /// What is proven.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key that signed it.
    #[must_use]
    pub const fn key(&self) -> Hash {
        self.key
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::certificate::tests::{certificate, expert};

    /// A key for tests: what it signs, it marks with a sum.
    pub(crate) struct Toy(pub(crate) u8);

    fn sum(key: u8, message: &[u8]) -> Signature {
        let mut sum = [key; 64];
        for (at, byte) in message.iter().enumerate() {
            sum[at % 64] = sum[at % 64].rotate_left(1) ^ byte;
        }
        sum
    }

    impl Signer for Toy {
        fn public(&self) -> Hash {
            Hash([self.0; 32])
        }
        fn sign(&self, message: &[u8]) -> Signature {
            sum(self.0, message)
        }
    }

    impl Trust for Toy {
        fn verify(&self, key: Hash, message: &[u8], found: &Signature) -> Result<(), Distrust> {
            match key == self.public() {
                false => Err(Distrust::Unknown),
                true if *found == sum(self.0, message) => Ok(()),
                true => Err(Distrust::Signature),
            }
        }
    }

    #[test]
    fn what_was_sealed_is_opened_by_whoever_trusts_the_key() {
        for certificate in [certificate(), expert()] {
            let (proven, json) = Proven::seal(certificate.clone(), &Toy(7));
            assert_eq!(Proven::open(&json, &Toy(7)).unwrap(), proven);
            assert_eq!((proven.certificate(), proven.key()), (&certificate, Hash([7; 32])));
            let refused = Proven::open(&json, &Toy(8)).unwrap_err();
            assert!(matches!(refused, EnvelopeError::Distrust(Distrust::Unknown)));
        }
    }

    #[test]
    fn nothing_of_it_can_be_altered() {
        let (_, json) = Proven::seal(certificate(), &Toy(7));
        let fields: EnvelopeFields = serde_json::from_str(&json).unwrap();
        let payload = String::from_utf8(STANDARD.decode(&fields.payload).unwrap()).unwrap();
        let lower = payload.replace("\"internal\"", "\"public\"");
        let altered = json.replace(&fields.payload, &STANDARD.encode(lower));
        let refused = Proven::open(&altered, &Toy(7)).unwrap_err();
        assert!(matches!(refused, EnvelopeError::Distrust(Distrust::Signature)), "{refused}");
        for (from, to) in [
            (PAYLOAD_TYPE, "text/plain"),
            ("\"payload\":\"", "\"payload\":\"*"),
            ("\"sig\":\"", "\"sig\":\"AA"),
            ("\"keyid\":\"", "\"keyid\":\"0"),
            ("\"signatures\":[", "\"signatures\":[],\"old\":["),
        ] {
            assert!(Proven::open(&json.replace(from, to), &Toy(7)).is_err(), "{from}");
        }
        assert!(Proven::open("{}", &Toy(7)).is_err());
    }
}
