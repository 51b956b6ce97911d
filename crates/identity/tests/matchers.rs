//! Who is accepted: matchers, principal patterns, trust domains and aliases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use meshtls_identity::{
    AcceptedDomains, IdMatcher, MeshDomains, PrincipalPattern, SpiffeId, TrustDomain,
};
use proptest::prelude::*;

#[test]
fn matchers() {
    let one_of = |ids: &[&str]| IdMatcher::one_of(ids.iter().map(|text| id(text))).unwrap();
    let (a, b) = ("spiffe://td/ns/n/sa/a", "spiffe://td/ns/n/sa/b");
    for (name, matcher, seen, want) in [
        ("any", IdMatcher::Any, a, true),
        ("any, no path", IdMatcher::Any, "spiffe://td", true),
        ("exact", IdMatcher::Exact(id(a)), a, true),
        ("exact, other", IdMatcher::Exact(id(a)), b, false),
        ("exact, longer", IdMatcher::Exact(id(a)), "spiffe://td/ns/n/sa/ab", false),
        ("exact, deeper", IdMatcher::Exact(id(a)), "spiffe://td/ns/n/sa/a/b", false),
        ("exact, other case", IdMatcher::Exact(id(a)), "spiffe://td/ns/n/sa/A", false),
        ("exact, other domain", IdMatcher::Exact(id(a)), "spiffe://dt/ns/n/sa/a", false),
        ("one of", one_of(&[b, a]), a, true),
        ("one of, another", one_of(&[b, a]), "spiffe://td/ns/n/sa/c", false),
        ("one of one", one_of(&[a]), a, true),
        ("member", IdMatcher::MemberOf(domain("td")), a, true),
        ("member, no path", IdMatcher::MemberOf(domain("td")), "spiffe://td", true),
        ("member, longer name", IdMatcher::MemberOf(domain("td")), "spiffe://td.evil/a", false),
        ("member, shorter name", IdMatcher::MemberOf(domain("td")), "spiffe://t/a", false),
        ("principal", IdMatcher::Principal("td/ns/n/*".parse().unwrap()), a, true),
        ("principal, other", IdMatcher::Principal("td/ns/m/*".parse().unwrap()), a, false),
    ] {
        assert_eq!(matcher.matches(&id(seen)), want, "{name}");
    }
    assert!(IdMatcher::one_of([]).is_err());
}

#[test]
fn what_a_matcher_says() {
    let (a, b) = (id("spiffe://td/a"), id("spiffe://td/b"));
    for (matcher, want) in [
        (IdMatcher::Any, "any SPIFFE ID"),
        (IdMatcher::Exact(a.clone()), "spiffe://td/a"),
        (IdMatcher::one_of([b.clone(), a, b]).unwrap(), "any of spiffe://td/a, spiffe://td/b"),
        (IdMatcher::MemberOf(domain("td")), "any ID of trust domain td"),
        (IdMatcher::Principal("td/*".parse().unwrap()), "any principal like td/*"),
    ] {
        assert_eq!(matcher.to_string(), want);
    }
    let empty = IdMatcher::one_of([]).unwrap_err();
    assert_eq!(empty.to_string(), "the list of accepted IDs is empty");
}

#[test]
fn principal_patterns() {
    for (name, pattern, principal, want) in [
        ("exact", "td/ns/n/sa/s", "td/ns/n/sa/s", true),
        ("exact, longer", "td/ns/n/sa/s", "td/ns/n/sa/ss", false),
        ("exact, scheme is not part", "spiffe://td/a", "td/a", false),
        ("prefix", "td/ns/n/*", "td/ns/n/sa/s", true),
        ("prefix, nothing after it", "td/ns/n/*", "td/ns/n/", true),
        ("prefix, shorter", "td/ns/n/*", "td/ns/n", false),
        ("prefix, only the start counts", "td/ns/n*", "td/ns/nn/sa/s", true),
        ("prefix, other case", "TD/*", "td/a", false),
        ("suffix", "*/sa/s", "td/ns/n/sa/s", true),
        ("suffix, whole", "*td/a", "td/a", true),
        ("suffix, other", "*/sa/s", "td/ns/n/sa/ss", false),
        ("presence", "*", "td", true),
        ("presence, nobody", "*", "", false),
        ("star in the middle", "td/ns/*/sa/s", "td/ns/n/sa/s", false),
        ("star in the middle, itself", "td/ns/*/sa/s", "td/ns/*/sa/s", true),
        ("stars at both ends: a suffix with a star", "*n*", "td/n", false),
        ("stars at both ends: itself", "*n*", "td/n*", true),
        ("two stars", "**", "td", false),
        ("two stars, a star at the end", "**", "td*", true),
        ("two stars at the end", "td**", "td*x", true),
        ("two stars at the end, one needed", "td**", "tdx", false),
    ] {
        let pattern: PrincipalPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches_text(principal), want, "{name}");
    }
    let empty = "".parse::<PrincipalPattern>().unwrap_err();
    assert_eq!(empty.to_string(), "the principal pattern is empty");
}

#[test]
fn a_pattern_sees_the_id_without_scheme() {
    let pattern: PrincipalPattern = "td/*".parse().unwrap();
    assert!(pattern.matches(&id("spiffe://td/a")));
    assert!(!pattern.matches(&id("spiffe://dt/a")));
    assert_eq!(pattern.as_str(), pattern.to_string());
}

proptest! {
    /// A second statement of the rule, over every way to cut the text in two.
    #[test]
    fn patterns_by_cutting(pattern in "[*ab]{0,2}[ab/]{0,2}[*ab]{0,2}", text in "[*ab/]{0,4}") {
        prop_assume!(!pattern.is_empty());
        let mut cuts = (0..=text.len()).map(|at| text.split_at(at));
        let want = match pattern.as_bytes() {
            b"*" => !text.is_empty(),
            [b'*', suffix @ ..] => cuts.any(|(_, end)| end.as_bytes() == suffix),
            [prefix @ .., b'*'] => cuts.any(|(start, _)| start.as_bytes() == prefix),
            exact => text.as_bytes() == exact,
        };
        prop_assert_eq!(pattern.parse::<PrincipalPattern>().unwrap().matches_text(&text), want);
    }
}

#[test]
fn aliases_expand_an_id() {
    let long = format!("spiffe://td/ns/n/sa/{}", "s".repeat(2028));
    for (name, own, aliases, given, want) in [
        ("no aliases", "td", "", "spiffe://td/ns/n/sa/s", "spiffe://td/ns/n/sa/s"),
        (
            "own domain",
            "td",
            "old",
            "spiffe://td/ns/n/sa/s",
            "spiffe://td/ns/n/sa/s spiffe://old/ns/n/sa/s",
        ),
        (
            "a foreign domain is kept, the own one not added (vector ct-s-025)",
            "new.td",
            "old.td",
            "spiffe://cluster.local/ns/shop/sa/api",
            "spiffe://cluster.local/ns/shop/sa/api spiffe://old.td/ns/shop/sa/api",
        ),
        (
            "an alias of itself, repeated",
            "td",
            "a b a",
            "spiffe://a/ns/n/sa/s",
            "spiffe://a/ns/n/sa/s spiffe://b/ns/n/sa/s",
        ),
        (
            "the own domain given as alias",
            "td",
            "td old",
            "spiffe://x/ns/n/sa/s",
            "spiffe://x/ns/n/sa/s spiffe://td/ns/n/sa/s spiffe://old/ns/n/sa/s",
        ),
        ("another layout", "td", "old", "spiffe://td/payments", "spiffe://td/payments"),
        ("too long in the alias", "td", "old", &long, &long),
    ] {
        let mesh = MeshDomains::new(domain(own), aliases.split_whitespace().map(domain));
        let got: Vec<_> = mesh
            .expand(&id(given))
            .iter()
            .map(SpiffeId::to_string)
            .collect();
        assert_eq!(got.join(" "), want, "{name}");
    }
}

#[test]
fn a_mesh_accepts_its_own_domain_and_its_aliases() {
    let mesh = MeshDomains::new(domain("td"), [domain("old"), domain("older"), domain("old")]);
    assert_eq!(mesh.own(), &domain("td"));
    assert_eq!(mesh.aliases(), [domain("old"), domain("older")]);
    assert_eq!(mesh.accepted().to_string(), "old, older, td");
    for (name, want) in
        [("td", true), ("old", true), ("older", true), ("ol", false), ("td.evil", false)]
    {
        assert_eq!(mesh.contains(&domain(name)), want, "{name}");
        assert_eq!(mesh.accepted().accepts(&domain(name)), want, "{name}");
    }
}

#[test]
fn any_domain_and_none() {
    let nobody: AcceptedDomains = [].into_iter().collect();
    for (accepted, want, says) in
        [(AcceptedDomains::Any, true, "any trust domain"), (nobody, false, "no trust domain")]
    {
        assert_eq!(accepted.accepts(&TrustDomain::cluster_local()), want);
        assert_eq!(accepted.to_string(), says);
    }
}

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

fn domain(text: &str) -> TrustDomain {
    text.parse().unwrap()
}
