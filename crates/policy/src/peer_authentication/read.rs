//! A document to a `PeerAuthentication`, validated as Istio does.

use std::collections::BTreeMap;

use crate::dry_run;
use crate::field::{self, Field, Object};
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::violation::{Caution, Violation, Warning};
use crate::{Metadata, MtlsMode, PeerAuthentication, selector};

impl Resource for PeerAuthentication {
    const KIND: Kind = Kind::PeerAuthentication;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError> {
        read(object, metadata, warnings)
    }
}

fn read(
    object: &Object<'_>,
    metadata: Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<PeerAuthentication, ParseError> {
    dry_run::check(object, PeerAuthentication::DRY_RUN)?;
    let mut policy = PeerAuthentication::with_metadata(metadata);
    let Some(spec) = object.get("spec") else { return Ok(policy) };
    let spec = spec.object(&["selector", "mtls", "portLevelMtls"])?;
    if let Some(field) = spec.get("selector") {
        policy.selector = selector::read(&field, &["matchLabels"])?;
        if policy.selector.is_empty() {
            let path = field.path().to_owned();
            let name = policy.name().clone();
            warnings.push(Warning::new(field.key_at(), path, name, Caution::SelectorWithoutLabels));
        }
    }
    if let Some(mtls) = spec.get("mtls") {
        policy.mode = mode(&mtls)?;
    }
    if let Some(ports) = spec.get("portLevelMtls") {
        policy.ports = port_modes(&ports)?;
        if policy.ports.is_empty() {
            return Err(ports.invalid(Violation::PortLevelEmpty));
        }
        if policy.selector.is_empty() {
            return Err(ports.invalid(Violation::PortLevelNeedsSelector));
        }
    }
    Ok(policy)
}

/// Reads `{mode: STRICT}`; `UNSET` and an absent mode are `None`.
fn mode(mtls: &Field<'_>) -> Result<Option<MtlsMode>, ParseError> {
    let Some(mode) = mtls.object(&["mode"])?.get("mode") else { return Ok(None) };
    mode.name_of(
        MODES,
        |name| if name == "UNSET" { Some(None) } else { name.parse().ok().map(Some) },
    )
}

fn port_modes(ports: &Field<'_>) -> Result<BTreeMap<u16, Option<MtlsMode>>, ParseError> {
    ports
        .open_object()?
        .fields()
        .map(|entry| {
            let port =
                field::port(entry.key()).map_err(|violation| entry.field.invalid_key(violation))?;
            Ok((port, mode(&entry.field)?))
        })
        .collect()
}

const MODES: &[&str] = &["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];
