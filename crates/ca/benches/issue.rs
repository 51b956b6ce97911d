//! What an X509-SVID from a request costs, beside rcgen's own reading and signing of the same request with the same
//! kind of key: `cargo bench -p meshtls-ca`.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::time::Duration;

use divan::{Bencher, black_box};
use meshtls_ca::{Authority, AuthorityOptions, IssueRequest, KeyPair, KeyType, RandomSerials, csr};
use meshtls_identity::SpiffeId;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateSigningRequestDer, UnixTime};

const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";

fn main() {
    divan::main();
}

fn request() -> CertificateSigningRequestDer<'static> {
    csr::build(&KeyPair::generate(KeyType::P256).unwrap()).unwrap()
}

/// Checks the request, and issues.
#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let domain = "prod.example".parse().unwrap();
    let options = AuthorityOptions::default();
    let authority = Authority::self_signed(domain, &options, now, &mut RandomSerials).unwrap();
    let id: SpiffeId = ID.parse().unwrap();
    let der = request();
    bencher.bench_local(|| {
        let key = csr::check(black_box(&der), webpki::ALL_VERIFICATION_ALGS).unwrap();
        authority
            .issue(&IssueRequest::new(&key, &id), now, &mut RandomSerials)
            .unwrap()
    });
}

/// rcgen by hand: its key is ring's, it checks the request's signature, and the profile is the same.
#[divan::bench]
fn rcgen_and_ring(bencher: Bencher<'_, '_>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = Issuer::new(CertificateParams::default(), key);
    let der = request();
    bencher.bench_local(|| {
        let mut request = CertificateSigningRequestParams::from_der(black_box(&der)).unwrap();
        let params = &mut request.params;
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(ID).unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        request.signed_by(&issuer).unwrap()
    });
}
