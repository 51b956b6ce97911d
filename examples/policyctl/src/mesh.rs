//! Flags about the mesh as a whole.

use clap::Args;
use meshtls_identity::TrustDomain;
use meshtls_policy::{MeshSettings, ParseOptions};

use crate::answer::Failure;
use crate::input::Files;

/// Settings of the mesh.
#[derive(Args)]
#[command(next_help_heading = "Mesh")]
pub(crate) struct Mesh {
    /// The namespace whose policies hold for the whole mesh [default: istio-system].
    #[arg(long, value_name = "NS")]
    root_namespace: Option<String>,
    /// The trust domain [default: cluster.local].
    #[arg(long, value_name = "TD")]
    trust_domain: Option<TrustDomain>,
    /// A trust domain that means the same. Repeatable.
    #[arg(long, value_name = "TD")]
    trust_domain_alias: Vec<TrustDomain>,
    /// The namespace of objects that name none, like `kubectl -n` [default: such objects are refused].
    #[arg(long, value_name = "NS")]
    default_namespace: Option<String>,
}

impl Mesh {
    pub(crate) fn settings(&self, _files: &mut Files) -> Result<MeshSettings, Failure> {
        let mut settings = MeshSettings::default();
        if let Some(namespace) = &self.root_namespace {
            settings = settings.with_root_namespace(namespace);
        }
        if let Some(domain) = &self.trust_domain {
            settings = settings.with_trust_domain(domain.clone());
        }
        if !self.trust_domain_alias.is_empty() {
            settings = settings.with_trust_domain_aliases(self.trust_domain_alias.iter().cloned());
        }
        Ok(settings)
    }

    pub(crate) fn parse_options(&self) -> ParseOptions {
        let options = ParseOptions::default().with_field_places();
        match &self.default_namespace {
            Some(namespace) => options.with_default_namespace(namespace),
            None => options,
        }
    }
}
