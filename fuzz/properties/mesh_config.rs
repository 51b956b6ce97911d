//! The settings of a mesh: they are read or refused with a place, and accept their own domains.

use meshtls_policy::MeshSettings;

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match MeshSettings::parse("mesh.yaml", text) {
        Ok(read) => {
            let accepted = read.settings.accepted_domains();
            assert!(accepted.accepts(&read.settings.trust_domain));
            let alike = read.settings.domains();
            for domain in &read.settings.accepted_trust_domains {
                assert!(accepted.accepts(domain));
                let alias = read.settings.trust_domain_aliases.contains(domain);
                let own = read.settings.trust_domain == *domain;
                assert_eq!(alike.contains(domain), alias || own, "accepted is not equated");
            }
            assert!(
                read.settings
                    .protocol_detection_timeout
                    .is_none_or(|timeout| !timeout.is_zero())
            );
            for skipped in &read.skipped {
                assert!(skipped.to_string().starts_with("mesh.yaml"), "{skipped}");
            }
        }
        Err(error) => {
            assert_eq!(error.source_name(), "mesh.yaml");
            assert!(error.to_string().starts_with("mesh.yaml"), "{error}");
        }
    }
}
