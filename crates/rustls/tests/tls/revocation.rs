//! Revoked peers, and lists that do not tell: the typed reason here, the alert there, at both ends, in both versions.

use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_rustls::{AlpnAnswer, HandshakeError, MeshClient, MeshServer, VerifiedPeer};
use meshtls_svid::{RejectSvid, TrustBundles, X509Svid};
use meshtls_testkit::{RawClient, RawServer, Revocations, TestCa, test_time};
use rustls::pki_types::{CertificateRevocationListDer, UnixTime};

use crate::kit::{
    LEDGER, SHOP, alert_in, each, exactly, mesh_to_raw_client, raw_server_to_mesh, snapshot,
};

type List = CertificateRevocationListDer<'static>;

#[tokio::test]
async fn clients_under_revocation_lists() {
    let ca = TestCa::new("prod.example");
    let (peer, other) = (ca.svid(SHOP), ca.svid(SHOP));
    for (provider, version) in each() {
        for Case { name, lists, want } in cases(&ca, &peer, &other) {
            let name = format!("{name}, {provider} {version:?}");
            let own = snapshot(ca.svid(LEDGER), trust(&ca, &lists));
            let server = MeshServer::new(&provider.profile(), &own, &AcceptedDomains::Any).unwrap();
            let config = RawClient::new(provider.get())
                .with_versions(version.only())
                .with_svid(&peer)
                .config();
            let (accepted, seen) = mesh_to_raw_client(&server, AlpnAnswer::None, config).await;
            check(&name, accepted, seen.alert(), SHOP, want);
        }
    }
}

#[tokio::test]
async fn servers_under_revocation_lists() {
    let ca = TestCa::new("prod.example");
    let (peer, other) = (ca.svid(LEDGER), ca.svid(LEDGER));
    for (provider, version) in each() {
        for Case { name, lists, want } in cases(&ca, &peer, &other) {
            let name = format!("{name}, {provider} {version:?}");
            let own = snapshot(ca.svid(SHOP), trust(&ca, &lists));
            let client = MeshClient::new(&provider.profile(), &own).unwrap();
            let config = RawServer::with_svid(provider.get(), &peer)
                .with_versions(version.only())
                .asking_for_certificate()
                .config();
            let (served, connected) = raw_server_to_mesh(config, &client, &exactly(LEDGER)).await;
            let alert = served.err().as_ref().and_then(alert_in);
            check(&name, connected, alert, LEDGER, want);
        }
    }
}

/// What lists make of a peer.
#[derive(Clone, Copy)]
enum Want {
    Accepted,
    Revoked,
    Unknown,
    OutOfDate,
    Unusable,
}

struct Case {
    name: &'static str,
    lists: Vec<List>,
    want: Want,
}

/// For a `peer` of `ca`, who has `other` as well.
fn cases(ca: &TestCa, peer: &X509Svid, other: &X509Svid) -> [Case; 7] {
    let stranger = TestCa::new("prod.example").with_intermediate();
    let said = |revocations| vec![ca.revocation_list(revocations)];
    [
        Case { name: "no lists", lists: vec![], want: Want::Accepted },
        Case { name: "nobody", lists: said(Revocations::Nobody), want: Want::Accepted },
        Case { name: "another", lists: vec![ca.revoking(&[other])], want: Want::Accepted },
        Case { name: "revoked", lists: vec![ca.revoking(&[other, peer])], want: Want::Revoked },
        Case {
            name: "the list of another issuer",
            lists: vec![stranger.revocation_list(Revocations::Nobody)],
            want: Want::Unknown,
        },
        Case { name: "out of date", lists: said(Revocations::OutOfDate), want: Want::OutOfDate },
        Case { name: "forged", lists: said(Revocations::Forged), want: Want::Unusable },
    ]
}

fn trust(ca: &TestCa, lists: &[List]) -> TrustBundles {
    TrustBundles::new([match lists {
        [] => ca.bundle(),
        lists => ca.bundle().with_revocation_lists(lists).unwrap(),
    }])
}

/// The reason that this end has, and the alert that the peer hears.
fn check(
    name: &str,
    outcome: Result<VerifiedPeer, HandshakeError>,
    alert: Option<u8>,
    id: &str,
    want: Want,
) {
    let presented: SpiffeId = id.parse().unwrap();
    let (reject, reason, code) = match want {
        Want::Accepted => {
            assert_eq!((outcome.unwrap().id(), alert), (&presented, None), "{name}");
            return;
        }
        Want::Revoked => (RejectSvid::Revoked { presented }, "revoked", 44),
        Want::Unknown => (RejectSvid::RevocationUnknown { presented }, "revocation_unknown", 46),
        Want::OutOfDate => {
            let now = test_time();
            let next_update =
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs() - 86_400));
            let reject = RejectSvid::RevocationListExpired { presented, next_update, now };
            (reject, "revocation_list_expired", 46)
        }
        Want::Unusable => {
            (RejectSvid::RevocationListUnusable { presented }, "revocation_list_unusable", 46)
        }
    };
    let error = outcome.unwrap_err();
    assert_eq!((error.reason(), alert), (reason, Some(code)), "{name}");
    let HandshakeError::Rejected(rejected) = error else { panic!("{name}: {error:?}") };
    assert_eq!(rejected, reject, "{name}");
}
