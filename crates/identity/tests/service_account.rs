//! Istio's layout: parsed, composed, converted without copying.

use meshtls_identity::{ParseIdError, ServiceAccountId, ServiceAccountIdError, SpiffeId};

use ParseIdError::{DotSegment, EmptySegment, ForbiddenByte, TooLong};
use ServiceAccountIdError::Layout;

#[test]
fn parsed_with_and_without_scheme() {
    for (name, text, want) in [
        ("with", "spiffe://td/ns/n/sa/s", Ok("td/ns/n/sa/s")),
        ("without", "td/ns/n/sa/s", Ok("td/ns/n/sa/s")),
        ("names like keywords", "ns/ns/sa/sa/ns", Ok("ns/ns/sa/sa/ns")),
        ("no path", "spiffe://td", Err(Layout)),
        ("too few", "td/ns/n/sa", Err(Layout)),
        ("too many", "td/ns/a/sa/b/x", Err(Layout)),
        ("first keyword", "td/namespace/n/sa/s", Err(Layout)),
        ("second keyword", "td/ns/n/account/s", Err(Layout)),
        ("keywords swapped", "td/sa/n/ns/s", Err(Layout)),
        ("keyword in capitals", "td/NS/n/sa/s", Err(Layout)),
        ("empty namespace", "td/ns//sa/s", Err(EmptySegment { at: 15 }.into())),
        ("empty text", "", Err(ParseIdError::NoTrustDomain.into())),
        ("other scheme", "http://td/ns/n/sa/s", Err(ForbiddenByte { at: 13, byte: b':' }.into())),
        ("leading slash", "/td/ns/n/sa/s", Err(ParseIdError::NoTrustDomain.into())),
    ] {
        let got: Result<ServiceAccountId, _> = text.parse();
        assert_eq!(got.map(|id| id.to_string()), want.map(str::to_owned), "{name}");
    }
}

#[test]
fn composed() {
    let td = "td".parse().unwrap();
    let long = "x".repeat(2048);
    for (name, namespace, account, want) in [
        ("plain", "n", "s", Ok("spiffe://td/ns/n/sa/s")),
        ("empty namespace", "", "s", Err(EmptySegment { at: 15 })),
        ("empty account", "n", "", Err(EmptySegment { at: 20 })),
        ("slash in the namespace", "a/b", "s", Err(ForbiddenByte { at: 16, byte: b'/' })),
        ("slash in the account", "n", "s/", Err(ForbiddenByte { at: 21, byte: b'/' })),
        ("dots", "..", "s", Err(DotSegment { at: 15 })),
        ("too long", "n", &long, Err(TooLong { len: 2068 })),
    ] {
        let got = ServiceAccountId::new(&td, namespace, account);
        assert_eq!(
            got.as_ref()
                .map(|id| id.spiffe_id().as_str())
                .map_err(|e| *e),
            want,
            "{name}"
        );
        if let Ok(id) = got {
            assert_eq!(
                (id.trust_domain(), id.namespace(), id.service_account()),
                (&td, namespace, account)
            );
            assert_eq!(id.to_string().parse(), Ok(id.clone()), "{name}");
            assert_eq!(id.spiffe_id().as_str().parse(), Ok(id.clone()), "{name}");
        }
    }
}

#[test]
fn in_another_trust_domain() {
    let id: ServiceAccountId = "a/ns/n/sa/s".parse().unwrap();
    let moved = id.in_trust_domain(&"b.example".parse().unwrap()).unwrap();
    assert_eq!(moved.to_string(), "b.example/ns/n/sa/s");
    let longest: ServiceAccountId = format!("a/ns/n/sa/{}", "s".repeat(2029)).parse().unwrap();
    let refused = longest.in_trust_domain(&"bb".parse().unwrap());
    assert_eq!(refused, Err(TooLong { len: 2049 }));
}

/// A conversion or a clone that gives back the same buffer has allocated none.
#[test]
fn conversions_and_clones_share_the_text() {
    let account: ServiceAccountId = "td/ns/n/sa/s".parse().unwrap();
    let text = account.spiffe_id().as_str().as_ptr();
    let trust_domain = account.trust_domain().as_str().as_ptr();
    let same = |id: &SpiffeId| {
        id.as_str().as_ptr() == text && id.trust_domain().as_str().as_ptr() == trust_domain
    };

    let copy = account.clone();
    assert!(same(copy.spiffe_id()), "clone of a service account");
    assert!(same(&SpiffeId::clone(account.spiffe_id())), "clone of a SPIFFE ID");
    drop(copy);
    let id = SpiffeId::from(account);
    assert!(same(&id), "into a SPIFFE ID");
    assert!(
        same(ServiceAccountId::try_from(&id).unwrap().spiffe_id()),
        "from a borrowed SPIFFE ID"
    );
    assert!(same(ServiceAccountId::try_from(id).unwrap().spiffe_id()), "from a SPIFFE ID");
}

#[test]
fn a_composed_id_shares_its_trust_domain() {
    let td: meshtls_identity::TrustDomain = "td".parse().unwrap();
    let id = SpiffeId::from(ServiceAccountId::new(&td, "n", "s").unwrap());
    assert_eq!(id.trust_domain().as_str().as_ptr(), td.as_str().as_ptr());
    assert_eq!(td.spiffe_id().trust_domain().as_str().as_ptr(), td.as_str().as_ptr());
}
