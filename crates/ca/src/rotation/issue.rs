//! Issuing in one generation, with what goes into the record.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::Rotation;
use crate::{
    IssueError, IssueRequest, IssuedSvid, Ledger, LedgerEntry, Serial, SerialError, SerialSource,
    SignError,
};

impl Rotation {
    /// Issues, and gives what is to be recorded before the chain is handed out. `serial` is unused.
    pub(crate) fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serial: Serial,
    ) -> Result<(IssuedSvid, LedgerEntry), IssueError> {
        let chain = self.signing().issue(request, now, &mut Drawn(serial))?;
        let leaf = chain
            .first()
            .ok_or_else(|| SignError::new("no certificate was made"))?;
        let not_after = not_after(leaf).ok_or_else(|| SignError::new("no X.509 was made"))?;
        let entry = LedgerEntry::new(serial, request.id().clone(), not_after, self.generation());
        Ok((IssuedSvid::new(chain, self.roots().certificates), entry))
    }
}

/// Draws a serial number that is not in the record.
pub(crate) fn unused(
    ledger: &Ledger,
    serials: &mut dyn SerialSource,
) -> Result<Serial, IssueError> {
    let serial = serials.next_serial()?;
    match ledger.find(&serial) {
        None => Ok(serial),
        Some(_) => Err(IssueError::RepeatedSerial(crate::RepeatedSerial { serial })),
    }
}

/// The number that was drawn.
struct Drawn(Serial);

impl SerialSource for Drawn {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        Ok(self.0)
    }
}

/// The record says what the certificate says.
fn not_after(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}
