//! Peers of several trust domains: each is verified by its own domain's bundle, and refusals name the domains.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use meshtls_identity::{AcceptedDomains, TrustDomain};
use meshtls_svid::{BundleDocument, TrustBundle, TrustBundles, Usage, Validation, validate};
use meshtls_testkit::{TestCa, test_time};
use rustls_pki_types::CertificateDer;

fn domain(name: &str) -> TrustDomain {
    name.parse().unwrap()
}

fn only(names: &[&str]) -> AcceptedDomains {
    names.iter().map(|name| domain(name)).collect()
}

/// The ID that was proved, or the label and the sentence of the refusal.
fn who(chain: &[CertificateDer<'_>], bundles: &TrustBundles, accepted: &AcceptedDomains) -> String {
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let rules = Validation::new(bundles, accepted, algorithms, Usage::Client, test_time());
    match validate(chain, &rules) {
        Ok(valid) => valid.id().to_string(),
        Err(reject) => format!("{}: {reject}", reject.reason()),
    }
}

/// A certificate that this authority signs, although the ID is of another domain.
fn named(ca: &TestCa, id: &str) -> Vec<CertificateDer<'static>> {
    ca.web_certificate(&[id]).chain().to_vec()
}

/// The partner's bundle as it comes from its bundle endpoint.
fn fetched(ca: &TestCa) -> TrustBundle {
    let published = BundleDocument::new(ca.bundle())
        .unwrap()
        .with_sequence(1)
        .to_json();
    let document = BundleDocument::parse(ca.trust_domain().clone(), published.as_bytes());
    document.unwrap().into_bundle().unwrap()
}

#[test]
fn two_domains_know_each_other_and_a_third_is_refused_by_name() {
    let own = TestCa::new("own.example");
    let partner = TestCa::new("partner.example").with_intermediate();
    let third = TestCa::new("third.example");
    let bundles = TrustBundles::new([own.bundle(), fetched(&partner)]);
    let (any, both, own_only) =
        (AcceptedDomains::Any, only(&["own.example", "partner.example"]), only(&["own.example"]));
    let of_own = own
        .svid("spiffe://own.example/ns/a/sa/web")
        .chain()
        .to_vec();
    let of_partner = partner
        .svid("spiffe://partner.example/ns/b/sa/web")
        .chain()
        .to_vec();
    let of_third = third
        .svid("spiffe://third.example/ns/c/sa/web")
        .chain()
        .to_vec();
    for (name, chain, accepted, want) in [
        ("own", &of_own, &both, "spiffe://own.example/ns/a/sa/web"),
        ("partner", &of_partner, &both, "spiffe://partner.example/ns/b/sa/web"),
        (
            "known, but not accepted",
            &of_partner,
            &own_only,
            "trust_domain_not_accepted: `spiffe://partner.example/ns/b/sa/web` is not of an accepted trust domain: own.example",
        ),
        (
            "a third",
            &of_third,
            &both,
            "unknown_trust_domain: `spiffe://third.example/ns/c/sa/web` is of an unknown trust domain, known: `own.example`, `partner.example`",
        ),
        (
            "a third, with everybody accepted",
            &of_third,
            &any,
            "unknown_trust_domain: `spiffe://third.example/ns/c/sa/web` is of an unknown trust domain, known: `own.example`, `partner.example`",
        ),
    ] {
        assert_eq!(who(chain, &bundles, accepted), want, "{name}");
    }
}

#[test]
fn an_authority_issues_for_its_own_domain_only() {
    // Both authorities are trusted, each for its own domain.
    let (own, partner) = (TestCa::new("own.example"), TestCa::new("partner.example"));
    let bundles = TrustBundles::new([own.bundle(), fetched(&partner)]);
    // The partner's authority names the other domain in a certificate that is good in all else.
    let forged = named(&partner, "spiffe://own.example/ns/a/sa/web");
    assert_eq!(
        who(&forged, &bundles, &AcceptedDomains::Any),
        "untrusted_issuer: no authority of `own.example` issued the chain of `spiffe://own.example/ns/a/sa/web`"
    );
    // Istio's flat set, asked for by name, lets it pass: that is the difference.
    let flat = TrustBundles::istio_flat(own.bundle(), [fetched(&partner)]);
    assert_eq!(who(&forged, &flat, &AcceptedDomains::Any), "spiffe://own.example/ns/a/sa/web");
}

#[test]
fn a_domain_is_renamed_by_an_alias_that_is_dropped_at_the_end() {
    // One authority, which issued under the old name and issues under the new one.
    let (old, new) = (TestCa::new("old.example"), "new.example");
    let authorities = old.bundle().anchors().to_vec();
    let bundle = || TrustBundle::new(domain(new), authorities.clone()).unwrap();
    let before = old
        .svid("spiffe://old.example/ns/a/sa/web")
        .chain()
        .to_vec();
    let after = named(&old, "spiffe://new.example/ns/a/sa/web");
    let aliased = TrustBundles::new([bundle()]).with_alias(domain("old.example"), domain(new));
    let both = only(&["old.example", new]);
    assert_eq!(who(&before, &aliased, &both), "spiffe://old.example/ns/a/sa/web");
    assert_eq!(who(&after, &aliased, &both), "spiffe://new.example/ns/a/sa/web");

    let dropped = TrustBundles::new([bundle()]);
    let new_only = only(&[new]);
    assert_eq!(who(&after, &dropped, &new_only), "spiffe://new.example/ns/a/sa/web");
    assert_eq!(
        who(&before, &dropped, &new_only),
        "unknown_trust_domain: `spiffe://old.example/ns/a/sa/web` is of an unknown trust domain, known: `new.example`"
    );
    // A bundle of the old name's own takes the place of the alias.
    let partner = TestCa::new("old.example");
    let both_own = TrustBundles::new([bundle(), partner.bundle()])
        .with_alias(domain("old.example"), domain(new));
    assert!(
        who(&before, &both_own, &both)
            .starts_with("untrusted_issuer: no authority of `old.example`")
    );
}
