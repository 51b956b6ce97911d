//! Flags about the mesh as a whole.

use std::path::{Path, PathBuf};

use clap::Args;
use meshtls_identity::TrustDomain;
use meshtls_policy::{MeshSettings, ParseOptions};

use crate::answer::Failure;
use crate::input::Files;
use crate::remark::Remark;

/// Settings of the mesh.
#[derive(Args)]
#[command(next_help_heading = "Mesh")]
pub(crate) struct Mesh {
    /// Istio's meshConfig (YAML or JSON), alone or in its ConfigMap. The flags below go before it.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// The namespace whose policies hold for the whole mesh [default: istio-system].
    #[arg(long, value_name = "NS")]
    root_namespace: Option<String>,
    /// The trust domain [default: cluster.local].
    #[arg(long, value_name = "TD")]
    trust_domain: Option<TrustDomain>,
    /// A trust domain that means the same. Repeatable.
    #[arg(long, value_name = "TD")]
    trust_domain_alias: Vec<TrustDomain>,
    /// Whether the TLS of a Sidecar's ingress listeners takes effect (Istio's ENABLE_TLS_ON_SIDECAR_INGRESS) [default: true].
    #[arg(long, value_name = "BOOL")]
    sidecar_ingress_tls: Option<bool>,
    /// The namespace of objects that name none, like `kubectl -n` [default: such objects are refused].
    #[arg(long, value_name = "NS")]
    default_namespace: Option<String>,
}

impl Mesh {
    /// The settings, and what is odd about the file.
    pub(crate) fn settings(
        &self,
        files: &mut Files,
    ) -> Result<(MeshSettings, Vec<Remark>), Failure> {
        let (mut settings, remarks) = match &self.mesh_config {
            Some(path) => read(path, files)?,
            None => (MeshSettings::default(), Vec::new()),
        };
        if let Some(namespace) = &self.root_namespace {
            settings = settings.with_root_namespace(namespace);
        }
        if let Some(domain) = &self.trust_domain {
            settings = settings.with_trust_domain(domain.clone());
        }
        if !self.trust_domain_alias.is_empty() {
            settings = settings.with_trust_domain_aliases(self.trust_domain_alias.iter().cloned());
        }
        if let Some(enable) = self.sidecar_ingress_tls {
            settings = settings.with_sidecar_ingress_tls(enable);
        }
        Ok((settings, remarks))
    }

    pub(crate) fn parse_options(&self) -> ParseOptions {
        let options = ParseOptions::default().with_field_places();
        match &self.default_namespace {
            Some(namespace) => options.with_default_namespace(namespace),
            None => options,
        }
    }
}

fn read(path: &Path, files: &mut Files) -> Result<(MeshSettings, Vec<Remark>), Failure> {
    let names = files.read(path)?;
    let [file] = names.as_slice() else {
        return Err(Failure::usage(format!("{}: --mesh-config takes one file", path.display())));
    };
    let text = files.text(file);
    // Places within a ConfigMap count from where its text begins: under another name, no wrong line is quoted.
    let inside = text.contains("ConfigMap");
    let name = if inside { format!("{file} (data.mesh)") } else { file.clone() };
    let read = MeshSettings::parse(&name, text).map_err(|error| Remark::from(&error))?;
    // Of the many settings that Istio has, most say nothing about policies.
    let unknown = read.skipped.iter().filter(|skipped| !skipped.known);
    Ok((read.settings, unknown.map(Remark::from).collect()))
}
