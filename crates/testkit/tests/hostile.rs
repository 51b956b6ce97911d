//! Each defect gets the verdict that it states, from our validation.

use meshtls_identity::AcceptedDomains;
use meshtls_svid::{Usage, Validation, validate};
use meshtls_testkit::{Defect, TestCa, Verdict};

#[test]
fn each_defect_gets_its_verdict() {
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let mut wrong = vec![];
    for (place, ca) in [
        ("below the root", TestCa::new("prod.example")),
        ("below an intermediate", TestCa::new("prod.example").with_intermediate()),
    ] {
        for defect in Defect::all() {
            let hostile = ca.hostile(defect);
            for usage in [Usage::Client, Usage::Server] {
                let rules = Validation::new(
                    hostile.bundles(),
                    &AcceptedDomains::Any,
                    algorithms.all,
                    usage,
                    ca.now(),
                );
                let got = match validate(hostile.chain(), &rules) {
                    Ok(_) => None,
                    Err(error) => Some(error.reason()),
                };
                let want = match defect.verdict(usage) {
                    Verdict::Accepted | Verdict::HandshakeFails => None,
                    Verdict::Rejected(reason) => Some(reason),
                };
                if got != want {
                    wrong.push(format!("{defect} {place}, {usage}: {got:?}, not {want:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
