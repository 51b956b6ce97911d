//! What would have become of a connection if no policy were on trial.

use std::fmt;

use meshtls_policy::{MtlsMode, Winner};

use crate::{
    authorization::Ruling,
    decide::Decision,
    detect::{End, Look, Port},
    observer::Outcome,
};

/// What would have become of a connection if no policy were on trial, neither for the mode
/// ([`PeerAuthentication::DRY_RUN`](meshtls_policy::PeerAuthentication::DRY_RUN)) nor for authorization
/// ([`AuthorizationPolicy::DRY_RUN`](meshtls_policy::AuthorizationPolicy::DRY_RUN)). Nothing of it came to pass.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Shadow<'a> {
    /// What would have become of it.
    pub outcome: ShadowOutcome,
    /// The mode that would have been in force.
    pub mode: MtlsMode,
    /// Where that mode would have come from.
    pub winner: &'a Winner,
    /// What the authorization policies would have said; `None` if they would not have been asked, or nobody knows of whom.
    pub authorization: Option<&'a Ruling>,
}

/// Such as `would have been refused: plaintext under STRICT by foo/default`, or
/// `would have been refused: a DENY policy matches (foo/no-plaintext, rule 0)`.
impl fmt::Display for Shadow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ruling) = self.authorization.filter(|ruling| !ruling.allow()) {
            return write!(f, "would have been refused: {ruling}");
        }
        match self.outcome {
            ShadowOutcome::Accept => f.write_str("would have been accepted:")?,
            ShadowOutcome::Refuse(reason) => {
                // The mode follows anyway.
                let reason = reason.strip_suffix("_under_strict").unwrap_or(reason);
                write!(f, "would have been refused: {reason}")?;
            }
            ShadowOutcome::Handshake => {
                f.write_str("would have needed a handshake that nobody did:")?;
            }
            ShadowOutcome::Unseen => {
                f.write_str("would have depended on first bytes that nobody read:")?;
            }
        }
        write!(f, " under {} by ", self.mode)?;
        match self.winner.policy() {
            Some(policy) => policy.fmt(f)?,
            None => self.winner.fmt(f)?,
        }
        match self
            .authorization
            .filter(|ruling| ruling.policy().is_some())
        {
            Some(ruling) => write!(f, "; {ruling}"),
            None => Ok(()),
        }
    }
}

/// What would have become of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ShadowOutcome {
    /// It would have been accepted.
    Accept,
    /// It would have been refused, for this [`Refusal::reason`](crate::Refusal::reason).
    Refuse(&'static str),
    /// Its TLS would have been ended here, and accepted only with a certificate of the mesh. It was not, so nobody knows.
    Handshake,
    /// Its first bytes would have decided. They were not read: the mode that acted is DISABLE, on a `tcp` port.
    Unseen,
}

impl ShadowOutcome {
    /// A short label that stays the same between releases; [`Refuse`](Self::Refuse) gives the refusal's.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse(reason) => reason,
            Self::Handshake => "handshake",
            Self::Unseen => "unseen",
        }
    }
}

/// How far the first bytes lead in the shadow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rehearsal {
    Settled(ShadowOutcome),
    /// To the application, as it came, if the authorization policies let it in.
    HandedOver,
    /// The same handshake as the one that is done.
    SameHandshake,
}

impl Rehearsal {
    /// What `mode`, and a `Sidecar` that ends TLS on the port if `ingress_tls`, would have made of the bytes on which it was
    /// decided otherwise: `acted` on `prefix`, at `end` if no more of it came.
    pub(crate) fn new(
        port: Port,
        mode: MtlsMode,
        ingress_tls: bool,
        prefix: &[u8],
        end: Option<End>,
        acted: Decision,
    ) -> Self {
        let decision = match (port.look_or_take_as_tcp(mode, prefix), end) {
            (Look::Decided(decision, _), _) => decision,
            (Look::NeedMore, Some(end)) => port.give_up(mode, prefix, end),
            (Look::NeedMore, None) => return Self::Settled(ShadowOutcome::Unseen),
        };
        Self::Settled(match (decision.unless_ingress_tls(ingress_tls), acted) {
            (Decision::Terminate(_), Decision::Terminate(_)) => return Self::SameHandshake,
            (
                Decision::Terminate(_),
                Decision::Unsniffed(_)
                | Decision::Plaintext(..)
                | Decision::ForeignTls(_)
                | Decision::Refuse(_),
            ) => ShadowOutcome::Handshake,
            (Decision::Refuse(refusal), _) => ShadowOutcome::Refuse(refusal.reason()),
            (Decision::Unsniffed(_) | Decision::Plaintext(..) | Decision::ForeignTls(_), _) => {
                return Self::HandedOver;
            }
        })
    }

    /// With the outcome that came to pass, and what the authorization policies would have said if they would have been asked.
    pub(crate) fn settle(self, outcome: &Outcome<'_>, trial: Option<&Ruling>) -> ShadowOutcome {
        match (self, trial, outcome) {
            (Self::Settled(shadow), _, _) => shadow,
            (Self::HandedOver | Self::SameHandshake, Some(ruling), _) if !ruling.allow() => {
                ShadowOutcome::Refuse(ruling.reason().as_str())
            }
            (Self::SameHandshake, None, Outcome::Refused(refusal)) => {
                ShadowOutcome::Refuse(refusal.reason())
            }
            (Self::HandedOver | Self::SameHandshake, _, _) => ShadowOutcome::Accept,
        }
    }
}
