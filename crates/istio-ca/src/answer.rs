//! Reads a CA's answer: the chain from all its elements but the last, the roots from the last.

use meshtls_source::Issued;
use meshtls_svid::{MAX_CERTIFICATES, MAX_CHAIN_BYTES};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The most roots an answer may bring: 100 (our bound).
pub const MAX_ROOTS: usize = 100;

/// The most bytes an answer may have on the wire: 1 MiB (our bound).
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Reads the elements of `cert_chain`: the leaf, then the intermediates, in as many elements as the server likes, then one last
/// element with all roots. Certificates are told apart by their PEM blocks, never by counting elements.
///
/// What the chain proves and whom it names is not asked here.
///
/// # Errors
///
/// [`AnswerError`]: the first element that is not as it should be.
pub fn read_answer(cert_chain: &[String]) -> Result<Issued, AnswerError> {
    let bytes = cert_chain
        .iter()
        .fold(0_usize, |sum, element| sum.saturating_add(element.len()));
    if bytes > MAX_ANSWER_BYTES {
        return Err(AnswerError::TooLarge { bytes });
    }
    let (roots, chain) = match cert_chain.split_last() {
        Some((roots, chain)) if !chain.is_empty() => (roots, chain),
        _ => return Err(AnswerError::TooFewElements { count: cert_chain.len() }),
    };
    let mut certificates = Vec::new();
    for (at, element) in chain.iter().enumerate() {
        certificates.extend(blocks(at, element, MAX_CERTIFICATES)?);
    }
    let len = certificates
        .iter()
        .fold(0_usize, |sum, certificate| sum.saturating_add(certificate.len()));
    if certificates.len() > MAX_CERTIFICATES || len > MAX_CHAIN_BYTES {
        return Err(AnswerError::ChainTooLong { certificates: certificates.len(), bytes: len });
    }
    Ok(Issued::new(certificates, blocks(chain.len(), roots, MAX_ROOTS)?))
}

/// The certificates of one element: at least one, at most `most`.
fn blocks(
    at: usize,
    element: &str,
    most: usize,
) -> Result<Vec<CertificateDer<'static>>, AnswerError> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(element.as_bytes()) {
        // What is no PEM is not repeated: the other end chose it.
        certificates.push(certificate.map_err(|_text| AnswerError::NotPem { at })?);
        if certificates.len() > most {
            return Err(AnswerError::TooManyCertificates { at, most });
        }
    }
    if certificates.is_empty() { Err(AnswerError::NoCertificate { at }) } else { Ok(certificates) }
}

/// Why a CA's answer is of no use. Elements count from 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Fewer than two elements: there is no leaf, or there are no roots.
    #[error("the answer has {count} elements, wanted at least a leaf and the roots")]
    TooFewElements {
        /// How many there are.
        count: usize,
    },
    /// All elements together have more than [`MAX_ANSWER_BYTES`].
    #[error("the answer has {bytes} bytes, more than {MAX_ANSWER_BYTES}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// An element holds no certificate.
    #[error("element {at} of the answer holds no certificate")]
    NoCertificate {
        /// Which element.
        at: usize,
    },
    /// An element is not PEM.
    #[error("element {at} of the answer is not PEM")]
    NotPem {
        /// Which element.
        at: usize,
    },
    /// An element holds more certificates than any good one: [`MAX_CERTIFICATES`], or [`MAX_ROOTS`] in the last.
    #[error("element {at} of the answer holds more than {most} certificates")]
    TooManyCertificates {
        /// Which element.
        at: usize,
        /// The bound.
        most: usize,
    },
    /// The chain is longer than anybody would accept ([`MAX_CERTIFICATES`], [`MAX_CHAIN_BYTES`]).
    #[error("the answer's chain has {certificates} certificates and {bytes} bytes")]
    ChainTooLong {
        /// How many certificates.
        certificates: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// The leaf is no certificate that can be read.
    #[error("the leaf of the answer cannot be read")]
    MalformedLeaf,
    /// The leaf is for another key than the one asked for.
    #[error("the leaf of the answer is for another key than that of the request")]
    OtherKey,
}

impl AnswerError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooFewElements { .. } => "answer_too_few_elements",
            Self::TooLarge { .. } => "answer_too_large",
            Self::NoCertificate { .. } => "answer_without_certificate",
            Self::NotPem { .. } => "answer_not_pem",
            Self::TooManyCertificates { .. } => "answer_too_many_certificates",
            Self::ChainTooLong { .. } => "answer_chain_too_long",
            Self::MalformedLeaf => "answer_leaf_malformed",
            Self::OtherKey => "answer_for_other_key",
        }
    }
}

#[cfg(test)]
mod tests {
    use meshtls_testkit::TestCa;

    use super::{AnswerError, MAX_ANSWER_BYTES, read_answer};

    #[test]
    fn the_roots_are_the_last_element_and_blocks_are_counted_not_elements() {
        let ca = TestCa::new("prod.example").with_intermediate();
        let svid = ca.svid("spiffe://prod.example/ns/pay/sa/ledger");
        let root = ca.bundle().to_pem();
        let second = TestCa::new("prod.example").bundle().to_pem();
        let pem = svid.chain_pem();
        let middle = pem.rfind("-----BEGIN").unwrap();
        let (leaf, intermediate) = pem.split_at(middle);
        for (name, elements, roots) in [
            ("as Istio sends it", vec![leaf, intermediate, &root], 1),
            ("the chain in one element", vec![&pem, &root], 1),
            ("two roots", vec![leaf, intermediate, &format!("{root}{second}")], 2),
            (
                "two roots without a line between",
                vec![&pem, &format!("{}\n{second}", root.trim())],
                2,
            ),
        ] {
            let elements: Vec<String> = elements.iter().map(|text| (*text).to_owned()).collect();
            let issued = read_answer(&elements).unwrap();
            assert_eq!(issued.chain, svid.chain(), "{name}");
            assert_eq!(issued.roots.len(), roots, "{name}");
            assert_eq!(issued.roots[0], ca.bundle().anchors()[0], "{name}");
            assert!(issued.key.is_none(), "{name}");
        }
    }

    #[test]
    fn each_refusal() {
        let ca = TestCa::new("prod.example");
        let (leaf, root) = (ca.svid("spiffe://prod.example/a").chain_pem(), ca.bundle().to_pem());
        let broken = root.replace('M', "!");
        let garbage = "x".repeat(MAX_ANSWER_BYTES);
        let (many, huge) = (root.repeat(101), root.repeat(6));
        let long = [leaf.clone(), root.repeat(5)].concat();
        for (name, elements, want) in [
            ("nothing", vec![], AnswerError::TooFewElements { count: 0 }),
            ("no roots", vec![&*leaf], AnswerError::TooFewElements { count: 1 }),
            ("no leaf", vec!["", &root], AnswerError::NoCertificate { at: 0 }),
            ("empty roots", vec![&leaf, " \n"], AnswerError::NoCertificate { at: 1 }),
            ("an empty element", vec![&leaf, "", &root], AnswerError::NoCertificate { at: 1 }),
            ("no base64", vec![&leaf, &broken], AnswerError::NotPem { at: 1 }),
            ("a torn block", vec![&leaf, &root[..200]], AnswerError::NotPem { at: 1 }),
            (
                "too large",
                vec![&leaf, &garbage],
                AnswerError::TooLarge { bytes: leaf.len() + (1 << 20) },
            ),
            (
                "101 roots",
                vec![&leaf, &many],
                AnswerError::TooManyCertificates { at: 1, most: 100 },
            ),
            ("six in one", vec![&huge, &root], AnswerError::TooManyCertificates { at: 0, most: 5 }),
        ] {
            let elements: Vec<String> = elements.iter().map(|text| (*text).to_owned()).collect();
            let error = read_answer(&elements).unwrap_err();
            assert_eq!(error, want, "{name}");
            assert!(error.reason().starts_with("answer_"), "{name}");
        }
        let six = [leaf, root.repeat(5), root];
        let error = read_answer(&six).unwrap_err();
        assert_eq!(error.reason(), "answer_chain_too_long");
        assert_eq!(
            read_answer(&[long, six[2].clone()]).unwrap_err().reason(),
            "answer_too_many_certificates"
        );
    }
}
