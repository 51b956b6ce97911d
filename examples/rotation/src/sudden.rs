//! Act 2: another root, without overlap.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meshtls::ca::{Authority, AuthorityOptions, KeyType, RandomSerials};
use tempfile::TempDir;

use crate::child::Child;
use crate::now;
use crate::report::{Calls, Held};
use crate::verdict::Verdict;

pub(crate) async fn act(open: u32, verdict: &mut Verdict) -> Result<(), Box<dyn Error>> {
    println!("act 2: another root, without overlap");
    let directory = tempfile::tempdir()?;
    let (old, new) = (root()?, root()?);
    let server_files = Files::new(&directory, "server", &old)?;
    let client_files = Files::new(&directory, "client", &old)?;

    let mut server =
        Child::start(&["serve", "--service-account", "server"], &server_files.flags())?;
    let port = server.wait_for("listening on ").await?;
    let role = ["call", "--service-account", "client", "--port", &port];
    let mut client = Child::start(&role, &client_files.flags())?;
    client.wait_for("ready").await?;
    client.tell(&format!("open {open}")).await?;
    client.wait_for("opened").await?;

    burst(&mut client, "before", None, verdict).await?;
    server_files.write(&new)?;
    server.wait_for("generation 1").await?;
    burst(&mut client, "the server alone has the new root", Some("untrusted_issuer"), verdict)
        .await?;
    client_files.write(&new)?;
    client.wait_for("generation 1").await?;
    burst(&mut client, "both have the new root", None, verdict).await?;

    client.tell("open?").await?;
    let held: Held = client.report().await?;
    verdict.check(
        held.opened == open && held.broken == 0,
        &format!("the connections that were open live on: {held:?}"),
    );
    client.end().await?;
    server.end().await
}

/// New connections, of which all fail for the reason `failing`, or none.
async fn burst(
    client: &mut Child,
    what: &str,
    failing: Option<&str>,
    verdict: &mut Verdict,
) -> Result<(), Box<dyn Error>> {
    client.tell(&format!("burst {BURST}")).await?;
    let Calls { good, failed, example, .. } = client.report().await?;
    let want = failing.map(|reason| (reason.to_owned(), BURST));
    verdict.check(
        failed == want.into_iter().collect(),
        &format!("{what}: {good} of {BURST} connections good, failed: {failed:?}"),
    );
    if let Some(example) = example {
        println!("        {example}");
    }
    Ok(())
}

/// Certificate, key and roots of one end.
struct Files {
    folder: PathBuf,
    name: &'static str,
    /// `--cert FILE --key FILE --roots FILE`.
    flags: [PathBuf; 6],
}

impl Files {
    fn new(
        directory: &TempDir,
        name: &'static str,
        ca: &Arc<Authority>,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = directory.path().join(name);
        std::fs::create_dir(&folder)?;
        let at = |file| folder.join(file);
        let flags = [
            "--cert".into(),
            at("tls.crt"),
            "--key".into(),
            at("tls.key"),
            "--roots".into(),
            at("ca.crt"),
        ];
        let files = Self { folder, name, flags };
        files.write(ca)?;
        Ok(files)
    }

    fn flags(&self) -> Vec<&Path> {
        self.flags.iter().map(PathBuf::as_path).collect()
    }

    fn write(&self, ca: &Authority) -> Result<(), Box<dyn Error>> {
        let id = format!("spiffe://cluster.local/ns/default/sa/{}", self.name).parse()?;
        let svid = ca.issue_svid(&id, KeyType::P256, None, now()?, &mut RandomSerials)?;
        std::fs::write(self.folder.join("tls.crt"), svid.chain_pem())?;
        std::fs::write(self.folder.join("tls.key"), svid.key_pem())?;
        std::fs::write(self.folder.join("ca.crt"), ca.trust_bundle().to_pem())?;
        Ok(())
    }
}

fn root() -> Result<Arc<Authority>, Box<dyn Error>> {
    let options = AuthorityOptions::default();
    let domain = "cluster.local".parse()?;
    Ok(Arc::new(Authority::self_signed(domain, &options, now()?, &mut RandomSerials)?))
}

const BURST: u32 = 50;
