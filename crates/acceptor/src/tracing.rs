//! An observer that emits `tracing` events.

use std::io;

use meshtls_rustls::{WithCauses, log_text};
use tracing::{debug, info, warn};

use crate::{
    observer::{Accepted, Event, Observer, Outcome},
    refusal::Refusal,
};

/// Emits one `tracing` event for each connection: `DEBUG` if it was accepted, `INFO` if it was refused, and `WARN` when the
/// listener cannot accept.
///
/// The fields are `outcome` ([`Outcome::label`]), `peer_addr`, `port`, `mode`, `winner`, `detection`, `handshake` (if there
/// was one) and `shadow` (if a policy is on trial, such as `would have been refused: plaintext under STRICT by foo/default`); for accepted ones also `app_protocol`, and `peer_id` or `reason`; for refused ones `error`, and `peer_id` where it was a
/// verified member of the mesh. Text that a peer may
/// have chosen is escaped, and cut at 256 characters.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TracingObserver;

impl TracingObserver {
    /// The observer.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The fields of every event, after those of its own.
macro_rules! emit {
    ($level:ident, $event:ident, $($own:tt)*) => {
        $level!(
            outcome = $event.outcome.label(),
            $($own)*
            peer_addr = $event.peer_addr.map(tracing::field::display),
            port = $event.port,
            mode = $event.mode.as_str(),
            winner = %$event.winner,
            detection = ?$event.detection,
            handshake = $event.handshake.map(tracing::field::debug),
            shadow = $event.shadow.map(tracing::field::display),
        )
    };
}

impl Observer for TracingObserver {
    fn connection(&self, event: &Event<'_>) {
        match event.outcome {
            Outcome::Accepted(Accepted::Mesh(peer, app)) => {
                emit!(
                    debug,
                    event,
                    app_protocol = app.as_str(),
                    peer_id = log_text(peer.id().as_str()),
                );
            }
            Outcome::Accepted(Accepted::Ingress(_, app)) => {
                emit!(debug, event, app_protocol = app.as_str(),)
            }
            Outcome::Accepted(Accepted::Plaintext(why, app)) => {
                emit!(debug, event, app_protocol = app.as_str(), reason = why.reason(),);
            }
            Outcome::Accepted(Accepted::ForeignTls(why)) => {
                emit!(debug, event, reason = why.reason(),)
            }
            Outcome::Accepted(Accepted::Unsniffed(why)) => {
                emit!(debug, event, reason = why.reason(),)
            }
            Outcome::Refused(refusal) => {
                let peer_id = match refusal {
                    Refusal::Unauthorized(unauthorized) => unauthorized.peer.as_ref(),
                    _ => None,
                };
                emit!(
                    info,
                    event,
                    error = log_text(&WithCauses(refusal).to_string()),
                    peer_id = peer_id.map(|id| log_text(id.as_str())),
                );
            }
        }
    }

    fn accept_failed(&self, error: &io::Error) {
        warn!(%error, "cannot accept connections");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::Debug,
        net::Ipv4Addr,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use meshtls_policy::{
        AuthorizationPolicy, Labels, MeshSettings, MtlsMode, PolicySet, ResourceName, Resources,
        Winner, Workload,
    };
    use tracing::{Metadata, field::Field, span, subscriber::with_default};

    use super::*;
    use crate::{
        authorization::{Ruling, Unauthorized},
        decide::{AppProtocol, PlaintextReason},
        opening::OpeningRefusal,
        shadow::{Shadow, ShadowOutcome},
    };

    /// Writes down each event as its level and its fields.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl tracing::field::Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.push_str(&format!(" {field}={value:?}"));
        }
    }

    impl tracing::Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn one_line_for_each_connection() {
        let log = Log::default();
        with_default(log.clone(), || {
            let refusal = Refusal::from(OpeningRefusal::HelloSsl3);
            let event = |outcome| Event {
                outcome,
                peer_addr: Some(([127, 0, 0, 1], 5).into()),
                port: 8080,
                mode: MtlsMode::Permissive,
                winner: &Winner::Default,
                authorization: None,
                detection: Duration::from_millis(3),
                handshake: None,
                shadow: None,
            };
            let accepted = Accepted::Plaintext(PlaintextReason::Permissive, AppProtocol::Http1);
            TracingObserver::new().connection(&event(Outcome::Accepted(accepted)));
            TracingObserver::new().connection(&event(Outcome::Refused(&refusal)));
            let winner = Winner::Namespace(ResourceName::new("foo", "default"));
            let shadow = Shadow {
                outcome: ShadowOutcome::Refuse("plaintext_under_strict"),
                mode: MtlsMode::Strict,
                winner: &winner,
                authorization: None,
            };
            let on_trial = Event { shadow: Some(shadow), ..event(Outcome::Accepted(accepted)) };
            TracingObserver::new().connection(&on_trial);
            let policy = AuthorizationPolicy::new("foo", "lock");
            let resources = Resources::default().with_authorization_policies([policy]);
            let set = PolicySet::compile(MeshSettings::default(), &resources);
            let nowhere = Ipv4Addr::UNSPECIFIED.into();
            let connection = meshtls_policy::Connection::new(nowhere, nowhere, 8080);
            let workload = Workload::new("foo", Labels::default());
            let refusal = Refusal::from(Unauthorized {
                ruling: Ruling::from(set.authorize(&workload, &connection).verdict()),
                peer: Some("spiffe://a/ns/b/sa/c".parse().unwrap()),
            });
            TracingObserver::new().connection(&event(Outcome::Refused(&refusal)));
            TracingObserver::new().accept_failed(&io::Error::other("no room"));
        });
        let rest = "peer_addr=127.0.0.1:5 port=8080 mode=\"PERMISSIVE\" winner=default, no policy sets a mode detection=3ms";
        assert_eq!(
            *log.0.lock().unwrap(),
            [
                format!(
                    "DEBUG outcome=\"plaintext\" app_protocol=\"http1\" reason=\"permissive\" {rest}"
                ),
                format!(
                    "INFO outcome=\"hello_ssl3\" error=\"the ClientHello asks for SSL 3.0\" {rest}"
                ),
                format!(
                    "DEBUG outcome=\"plaintext\" app_protocol=\"http1\" reason=\"permissive\" {rest} \
                     shadow=would have been refused: plaintext under STRICT by foo/default"
                ),
                format!(
                    "INFO outcome=\"no_allow_policy_matched\" error=\"spiffe://a/ns/b/sa/c may not come in: no ALLOW policy matches\" \
                     peer_id=\"spiffe://a/ns/b/sa/c\" {rest}"
                ),
                "WARN message=cannot accept connections error=no room".to_owned(),
            ]
        );
    }
}
