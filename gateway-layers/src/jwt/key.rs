//! [`VerifyingKey`]: what checks signatures, and for which algorithms.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::{
    Algorithm,
    algorithm::{Algorithms, Kind},
    backend, json, pem,
};

/// A key that checks signatures. It knows its algorithms from the configuration, so no token can have a public key
/// taken for a shared secret.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(super) kid: Option<String>,
    algorithms: Algorithms,
    material: DecodingKey,
}

impl VerifyingKey {
    /// A public key in PEM: `BEGIN PUBLIC KEY` (RFC 7468, 13), or `BEGIN RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// When it is none, or none for this algorithm. The text itself is not repeated.
    pub fn pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        Self::of(pem::public_key(text)?, [algorithm].into_iter().collect(), None)
    }

    /// A shared secret for HS256, HS384 or HS512. Whoever has it can make tokens.
    ///
    /// # Errors
    /// When it is shorter than the hash (RFC 7518, 3.2), or the algorithm takes no secret.
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if algorithm.kind() != Kind::Secret {
            return Err(KeyError::new(format!("{algorithm} takes a public key, not a secret")));
        }
        let least = algorithm.shortest_secret();
        if secret.len() < least {
            return Err(KeyError::new(format!("a secret for {algorithm} has at least {least} bytes")));
        }
        let material = DecodingKey::from_secret(secret);
        Ok(Self { kid: None, algorithms: [algorithm].into_iter().collect(), material })
    }

    /// A public key as a JSON Web Key (RFC 7517). Shared secrets (`oct`) are refused.
    ///
    /// # Errors
    /// When it is none, or not for this algorithm.
    pub fn jwk(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let jwk = json::object(text.as_bytes()).map_err(KeyError::new)?;
        Self::of_jwk(&jwk, [algorithm].into_iter().collect())
    }

    /// The id by which tokens name it. A key without one is tried for every token of its algorithm.
    #[must_use]
    pub fn kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// A key of a set, for those of the algorithms that it fits.
    pub(super) fn of_jwk(jwk: &Map<String, Value>, configured: Algorithms) -> Result<Self, KeyError> {
        for private in ["d", "k", "p", "q", "dp", "dq", "qi", "oth"] {
            if jwk.contains_key(private) {
                return Err(KeyError::new("it is, or holds, a secret"));
            }
        }
        if jwk.get("use").is_some_and(|value| value != "sig") {
            return Err(KeyError::new("its `use` is not `sig`"));
        }
        let verifies =
            |value: &Value| value.as_array().is_some_and(|list| list.iter().any(|one| one == "verify"));
        if jwk.get("key_ops").is_some_and(|value| !verifies(value)) {
            return Err(KeyError::new("its `key_ops` do not allow to verify"));
        }
        let pinned = match jwk.get("alg") {
            None => configured,
            Some(Value::String(name)) => {
                configured.iter().filter(|algorithm| algorithm.as_str() == name).collect()
            }
            Some(_) => return Err(KeyError::new("its `alg` is no text")),
        };
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if !kid.is_empty() => Some(kid.clone()),
            Some(_) => return Err(KeyError::new("its `kid` is no text")),
        };
        Self::of(material_of(jwk)?, pinned, kid)
    }

    fn of(material: Material, configured: Algorithms, kid: Option<String>) -> Result<Self, KeyError> {
        let algorithms = configured.of_kind(material.kind());
        if algorithms.is_empty() {
            return Err(KeyError::new(format!("it is {}: no configured algorithm", material.kind().name())));
        }
        Ok(Self { kid, algorithms, material: material.checked()? })
    }

    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(algorithm)
    }

    pub(super) fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        self.fits(algorithm) && backend::is_signed(&self.material, algorithm, message, signature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// Public numbers, as they were written.
pub(super) enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Material {
    fn kind(&self) -> Kind {
        match self {
            Self::Rsa { .. } => Kind::Rsa,
            Self::P256(_) => Kind::P256,
            Self::P384(_) => Kind::P384,
            Self::Ed25519(_) => Kind::Ed25519,
        }
    }

    /// It, if it is strong enough to prove something. Both back ends take what passes here.
    fn checked(self) -> Result<DecodingKey, KeyError> {
        let wrong = |why: &str| Err(KeyError::new(why.to_owned()));
        match self {
            Self::Rsa { modulus, exponent } => {
                let (modulus, exponent) = (without_zeros(&modulus), without_zeros(&exponent));
                match bits(modulus) {
                    ..2048 => return wrong("an RSA key has at least 2048 bits (RFC 7518, 3.3)"),
                    2048..=4096 => {}
                    _ => return wrong("an RSA key has at most 4096 bits, so that checking it stays cheap"),
                }
                let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
                if !is_odd(modulus) || !is_odd(exponent) || !(2..=32).contains(&bits(exponent)) {
                    return wrong("its exponent or its modulus is none of an RSA key");
                }
                Ok(DecodingKey::from_rsa_raw_components(modulus, exponent))
            }
            Self::P256(point) => ec(&point, 65),
            Self::P384(point) => ec(&point, 97),
            Self::Ed25519(point) if point.len() == 32 => Ok(DecodingKey::from_ed_der(&point)),
            Self::Ed25519(_) => wrong("an Ed25519 key has 32 bytes"),
        }
    }
}

fn ec(point: &[u8], length: usize) -> Result<DecodingKey, KeyError> {
    if point.len() != length || point[0] != 4 {
        return Err(KeyError::new("it is no uncompressed point of its curve"));
    }
    Ok(DecodingKey::from_ec_der(point))
}

fn material_of(jwk: &Map<String, Value>) -> Result<Material, KeyError> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    let bytes = |name: &str| {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(text(name));
        let decoded = decoded.ok().filter(|bytes| !bytes.is_empty());
        decoded.ok_or_else(|| KeyError::new(format!("its `{name}` is missing or not canonical base64url")))
    };
    let point = |length: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        if x.len() != length || y.len() != length {
            return Err(KeyError::new("its coordinates are not as long as its curve says"));
        }
        Ok([&[4], &x[..], &y[..]].concat())
    };
    match (text("kty"), text("crv")) {
        ("RSA", _) => Ok(Material::Rsa { modulus: bytes("n")?, exponent: bytes("e")? }),
        ("EC", "P-256") => Ok(Material::P256(point(32)?)),
        ("EC", "P-384") => Ok(Material::P384(point(48)?)),
        ("OKP", "Ed25519") => Ok(Material::Ed25519(bytes("x")?)),
        _ => Err(KeyError::new("its `kty` or `crv` is not known here")),
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Secret => "a secret",
            Self::Rsa => "an RSA key",
            Self::P256 => "a P-256 key",
            Self::P384 => "a P-384 key",
            Self::Ed25519 => "an Ed25519 key",
        }
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&byte| byte == 0).count()..]
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Why a text is no key that can be used. It does not repeat the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError(String);

impl KeyError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}
