//! Policies: what parses prints and parses again, compiles in any order to the same answers, and explains what it
//! resolves; an error points into the text.

#![expect(clippy::expect_used, reason = "a property fails by panicking")]

#[path = "resources.rs"]
pub(crate) mod resources;

use meshtls_policy::{
    MeshSettings, MtlsMode, ParseError, PeerAuthentication, PolicySet, Resources, Workload,
};

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    match Resources::parse_bytes("policies.yaml", bytes) {
        Ok(resources) => {
            resources::check(&resources);
            check_policies(&resources);
        }
        Err(error) => check_error(&error, bytes),
    }
}

fn check_policies(resources: &Resources) {
    let policies = resources.peer_authentications();
    let set = PolicySet::compile(MeshSettings::default(), resources);
    let backwards: Resources = policies.iter().rev().cloned().collect();
    let backwards = PolicySet::compile(MeshSettings::default(), &backwards);

    // Explaining is linear in the number of policies, so only some are asked about.
    for policy in policies.iter().take(ASKED) {
        let workload = Workload::new(policy.name().namespace(), policy.selector.clone());
        let ports = policy.ports.keys().copied().take(ASKED);
        for port in [0, 1, u16::MAX].into_iter().chain(ports) {
            let (mode, winner) = check_answer(&set, policies, &workload, port);
            let again = backwards.resolve(&workload, port);
            assert_eq!(
                (again.mode(), again.winner()),
                (mode, winner),
                "the order of the text counted"
            );
        }
    }
    let nobody = Workload::new("nowhere", meshtls_policy::Labels::default());
    check_answer(&set, policies, &nobody, 80);
}

fn check_answer(
    set: &PolicySet,
    policies: &[PeerAuthentication],
    workload: &Workload,
    port: u16,
) -> (MtlsMode, meshtls_policy::Winner) {
    let resolved = set.resolve(workload, port);
    let (mode, winner) = (resolved.mode(), resolved.winner());
    let explanation = set.explain(workload, port);
    assert_eq!((explanation.mode, &explanation.winner), (mode, &winner));
    assert!(!explanation.to_string().is_empty());

    // A mode comes from a policy that sets it, or is the default.
    match winner.policy() {
        None => assert_eq!(mode, MtlsMode::DEFAULT),
        Some(name) => {
            let mut named = policies.iter().filter(|policy| policy.name() == name);
            let policy = named.next().expect("the winner was read");
            assert!(named.next().is_none(), "two policies of one name");
            let port_mode = policy.ports.get(&port).copied().flatten();
            assert!(policy.mode == Some(mode) || port_mode == Some(mode), "{winner}");
        }
    }
    (mode, winner)
}

fn check_error(error: &ParseError, bytes: &[u8]) {
    assert_eq!(error.source_name(), "policies.yaml");
    assert!(error.to_string().starts_with("policies.yaml"), "{error}");
    assert!(!error.reason().is_empty());
    if let Some(line) = error.line() {
        // YAML 1.2 section 5.4: LF, CR and CRLF end a line. An error may be just after the last one.
        let ends = bytes
            .iter()
            .filter(|byte| matches!(byte, b'\n' | b'\r'))
            .count();
        let line = usize::try_from(line).expect("no text has so many lines");
        assert!((1..=ends + 2).contains(&line), "line {line}, but {ends} line ends");
        assert!(error.column().is_some_and(|column| column > 0));
    }
}

const ASKED: usize = 16;
