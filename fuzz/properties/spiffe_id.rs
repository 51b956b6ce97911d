//! SPIFFE IDs: what parses prints the same, its parts make the whole, and every other reading of it agrees.

use meshtls_identity::{
    IdMatcher, IstioIdentity, MeshDomains, ParseIdError, PrincipalPattern, ServiceAccountId,
    SpiffeId, TrustDomain,
};

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    match SpiffeId::from_bytes(bytes) {
        Ok(id) => {
            assert_eq!(id.as_str().as_bytes(), bytes);
            check_id(&id);
        }
        Err(error) => check_error(error, bytes),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_text(text);
    }
}

fn check_id(id: &SpiffeId) {
    assert!(id.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "not printable");
    assert!(id.as_str().len() <= SpiffeId::MAX_LEN);
    assert_eq!(id.to_string().parse(), Ok(id.clone()));

    let trust_domain = id.trust_domain();
    assert_eq!(id.as_str(), format!("spiffe://{trust_domain}{}", id.path()));
    assert_eq!(id.as_str(), format!("spiffe://{}", id.principal()));
    assert_eq!(trust_domain.as_str().parse(), Ok(trust_domain.clone()));
    assert_eq!(trust_domain.spiffe_id().path(), "");

    assert!(IdMatcher::Exact(id.clone()).matches(id));
    assert!(IdMatcher::MemberOf(trust_domain.clone()).matches(id));
    let principal = id.principal();
    for pattern in
        [principal.to_owned(), format!("{principal}*"), format!("*{principal}"), "*".into()]
    {
        assert!(
            pattern
                .parse()
                .is_ok_and(|pattern: PrincipalPattern| pattern.matches(id)),
            "{pattern}"
        );
    }

    // The strict parser has been passed, so the looser one and ours must see the same layout.
    let account = ServiceAccountId::try_from(id).ok();
    let istio = IstioIdentity::parse(id.as_str());
    assert_eq!(account.is_some(), istio.is_some());
    if let (Some(account), Some(istio)) = (&account, istio) {
        assert_eq!(account.trust_domain().as_str(), istio.trust_domain);
        assert_eq!(account.namespace(), istio.namespace);
        assert_eq!(account.service_account(), istio.service_account);
        let (domain, namespace) = (account.trust_domain(), account.namespace());
        let composed = ServiceAccountId::new(domain, namespace, account.service_account());
        assert_eq!(composed.as_ref(), Ok(account));
    }

    let mesh = MeshDomains::new(TrustDomain::cluster_local(), [trust_domain.clone()]);
    assert_eq!(mesh.expand(id), std::slice::from_ref(id), "an alias of its own adds nothing");
    let mesh = MeshDomains::new(trust_domain.clone(), [TrustDomain::cluster_local()]);
    for expanded in mesh.expand(id) {
        assert!(mesh.accepted().accepts(expanded.trust_domain()));
        assert_eq!((expanded.path(), expanded.as_str().parse()), (id.path(), Ok(expanded.clone())));
    }
}

/// What an error says must be true of the bytes.
fn check_error(error: ParseIdError, bytes: &[u8]) {
    let segment = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.split(|&byte| byte == b'/').next().unwrap_or_default()
    };
    match error {
        ParseIdError::TooLong { len } => assert!(len == bytes.len() && len > SpiffeId::MAX_LEN),
        ParseIdError::Scheme => assert!(!bytes.starts_with(b"spiffe://")),
        ParseIdError::NoTrustDomain => assert!(segment(9).is_empty()),
        ParseIdError::TrustDomainTooLong { len } => {
            assert!(len == segment(9).len() && len > TrustDomain::MAX_LEN)
        }
        ParseIdError::ForbiddenByte { at, byte } => assert_eq!(bytes.get(at), Some(&byte)),
        ParseIdError::EmptySegment { at } => {
            assert_eq!(bytes.get(at - 1..=at), Some(b"//".as_slice()))
        }
        ParseIdError::DotSegment { at } => assert!(matches!(segment(at), b"." | b"..")),
        ParseIdError::TrailingSlash => assert!(bytes.ends_with(b"/")),
        _ => {}
    }
    assert!(
        error
            .to_string()
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~'))
    );
}

/// The parsers of text that is no whole ID.
fn check_text(text: &str) {
    if let Ok(trust_domain) = text.parse::<TrustDomain>() {
        assert_eq!(trust_domain.as_str(), text);
    }
    if let Ok(account) = text.parse::<ServiceAccountId>() {
        assert_eq!(account.to_string(), text.strip_prefix("spiffe://").unwrap_or(text));
        assert_eq!(account.to_string().parse(), Ok(account.clone()));
        assert_eq!(SpiffeId::from(account.clone()).try_into(), Ok(account));
    }
    if let Some(istio) = IstioIdentity::parse(text) {
        assert_eq!(istio.to_string(), text);
    }
    match text.parse::<PrincipalPattern>() {
        Ok(pattern) => {
            assert_eq!(pattern.as_str(), text);
            assert!(pattern.matches_text(text), "a pattern matches its own text");
        }
        Err(_) => assert!(text.is_empty()),
    }
}
