//! Authorization policies on trial: they decide nothing, and the event says what would have become of the connection if no
//! policy were on trial, neither for authorization nor for the mode.

mod common;

use meshtls_acceptor::{
    PortProtocol,
    ShadowOutcome::{self, Accept, Handshake, Refuse},
};
use meshtls_policy::MtlsMode::{self, Disable, Permissive, Strict};
use meshtls_testkit::TestCa;
use tokio::io::{AsyncWriteExt, duplex};

use PortProtocol::{Auto, Http, Tcp};
use common::{
    CLIENT, Heard, Server, authorization, ca,
    client::{Client, anonymous, with_svid},
    mode, on_trial, policies, profile,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const NO_PLAINTEXT: &str =
    r#"action: DENY, rules: [{ from: [{ source: { notPrincipals: ["*"] } }] }]"#;
const ONLY_CLIENT: &str =
    "rules: [{ from: [{ source: { principals: [cluster.local/ns/foo/sa/client] } }] }]";
const ONLY_OTHER: &str =
    "rules: [{ from: [{ source: { principals: [cluster.local/ns/foo/sa/other] } }] }]";
const NOT_THIS_NAME: &str =
    "action: DENY, rules: [{ when: [{ key: connection.sni, values: [server.test] }] }]";

/// A mode for the namespace, on trial.
fn mode_on_trial(mode: MtlsMode) -> String {
    let head = "apiVersion: security.istio.io/v1, kind: PeerAuthentication";
    let trial = r#"annotations: { meshtls.dev/dry-run: "true" }"#;
    format!(
        "---\n{{ {head}, metadata: {{ name: default, namespace: foo, {trial} }}, spec: {{ mtls: {{ mode: {mode} }} }} }}\n"
    )
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Plaintext,
    Member,
    /// With a certificate of an authority that nobody trusts.
    Stranger,
    ForeignTls,
}

use Who::{ForeignTls, Member, Plaintext, Stranger};

async fn heard(ca: &TestCa, protocol: PortProtocol, text: &str, who: Who) -> Heard {
    let server = Server::new(ca, Permissive, protocol);
    server.policies.replace(policies(text));
    let (mut near, far) = duplex(1 << 16);
    let (known, unknown) = (ca.svid(CLIENT), common::ca().svid(CLIENT));
    let client = async {
        let hello = match who {
            // It may have been handed over and dropped before.
            Plaintext => return near.write_all(GET).await.unwrap_or(()),
            Member => with_svid(&known, &["istio-http/1.1", "istio", "http/1.1"]),
            Stranger => with_svid(&unknown, &["istio"]),
            ForeignTls => anonymous(&["h2"]),
        };
        // What is accepted is dropped, so a client that waits for an answer gets none.
        Client::new(&profile(), near, hello).ending().await;
    };
    let accept = async { drop(server.acceptor.accept(far, None).await) };
    tokio::join!(accept, client);
    server.heard.only()
}

#[tokio::test(start_paused = true)]
async fn what_would_become_of_a_connection_without_trial() {
    let ca = ca();
    let trial = |spec| on_trial("trial", spec);
    let acts = |spec| authorization("acts", spec);
    let deny = Refuse("deny_policy_matched");
    let not_allowed = Refuse("no_allow_policy_matched");
    let strict_trial = mode_on_trial(Strict);
    type Row<'a> = (&'a str, PortProtocol, String, Who, &'a str, ShadowOutcome, &'a str);
    let rows: [Row<'_>; 16] = [
        (
            "DENY",
            Auto,
            trial(NO_PLAINTEXT),
            Plaintext,
            "plaintext",
            deny,
            "would have been refused: a DENY policy matches (foo/trial, rule 0)",
        ),
        (
            "DENY",
            Auto,
            trial(NO_PLAINTEXT),
            ForeignTls,
            "foreign_tls",
            deny,
            "would have been refused: a DENY policy matches (foo/trial, rule 0)",
        ),
        (
            "DENY",
            Auto,
            trial(NO_PLAINTEXT),
            Member,
            "mesh",
            Accept,
            "would have been accepted: under PERMISSIVE by default, no policy sets a mode",
        ),
        (
            "unseen",
            Tcp,
            mode(Disable) + &trial(NO_PLAINTEXT),
            Plaintext,
            "unsniffed",
            deny,
            "would have been refused: a DENY policy matches (foo/trial, rule 0)",
        ),
        (
            "the first ALLOW",
            Auto,
            trial(ONLY_OTHER),
            Member,
            "mesh",
            not_allowed,
            "would have been refused: no ALLOW policy matches",
        ),
        (
            "one more ALLOW",
            Auto,
            acts(ONLY_OTHER) + &trial(ONLY_CLIENT),
            Member,
            "no_allow_policy_matched",
            Accept,
            "would have been accepted: under PERMISSIVE by default, no policy sets a mode; an ALLOW policy matches (foo/trial, rule 0)",
        ),
        (
            "DENY that acts anyway",
            Auto,
            acts(NO_PLAINTEXT) + &trial(ONLY_CLIENT),
            Plaintext,
            "deny_policy_matched",
            deny,
            "would have been refused: a DENY policy matches (foo/acts, rule 0)",
        ),
        (
            "a server name",
            Auto,
            trial(NOT_THIS_NAME),
            ForeignTls,
            "foreign_tls",
            deny,
            "would have been refused: a DENY policy matches (foo/trial, rule 0)",
        ),
        (
            "a server name that nobody would read",
            Tcp,
            mode_on_trial(Disable) + &trial(NOT_THIS_NAME),
            ForeignTls,
            "foreign_tls",
            Accept,
            "would have been accepted: under DISABLE by foo/default",
        ),
        (
            "a handshake that fails anyway",
            Auto,
            trial(NO_PLAINTEXT),
            Stranger,
            "untrusted_issuer",
            Refuse("untrusted_issuer"),
            "would have been refused: untrusted_issuer under PERMISSIVE by default, no policy sets a mode",
        ),
        (
            "refused by the mode already",
            Auto,
            strict_trial.clone() + &trial(ONLY_CLIENT),
            Plaintext,
            "plaintext",
            Refuse("plaintext_under_strict"),
            "would have been refused: plaintext under STRICT by foo/default",
        ),
        (
            "both tighten",
            Auto,
            strict_trial.clone() + &trial(ONLY_OTHER),
            Member,
            "mesh",
            not_allowed,
            "would have been refused: no ALLOW policy matches",
        ),
        (
            "the mode opens, DENY closes",
            Auto,
            mode(Strict) + &mode_on_trial(Permissive) + &trial(NO_PLAINTEXT),
            Plaintext,
            "plaintext_under_strict",
            deny,
            "would have been refused: a DENY policy matches (foo/trial, rule 0)",
        ),
        (
            "the peer would have no name",
            Auto,
            mode_on_trial(Disable) + &acts(NO_PLAINTEXT),
            Member,
            "mesh",
            deny,
            "would have been refused: a DENY policy matches (foo/acts, rule 0)",
        ),
        (
            "the peer would have a name",
            Auto,
            strict_trial + &trial(ONLY_CLIENT),
            ForeignTls,
            "foreign_tls",
            Handshake,
            "would have needed a handshake that nobody did: under STRICT by foo/default",
        ),
        (
            "only the mode is on trial",
            Http,
            mode_on_trial(Strict) + &acts(ONLY_CLIENT),
            Member,
            "mesh",
            Accept,
            "would have been accepted: under STRICT by foo/default; an ALLOW policy matches (foo/acts, rule 0)",
        ),
    ];
    for (case, protocol, text, who, label, shadow, says) in rows {
        let heard = heard(&ca, protocol, &text, who).await;
        assert_eq!(heard.label, label, "{case}: {who:?}");
        assert_eq!(heard.shadow, Some((shadow, says.to_owned())), "{case}: {who:?}");
    }
}

#[tokio::test]
async fn no_shadow_where_no_policy_on_trial_is_for_the_workload() {
    let ca = ca();
    let elsewhere = on_trial("trial", NO_PLAINTEXT).replace("namespace: foo", "namespace: bar");
    for text in [elsewhere, authorization("acts", NO_PLAINTEXT)] {
        assert_eq!(heard(&ca, Auto, &text, Plaintext).await.shadow, None, "{text}");
    }
}
