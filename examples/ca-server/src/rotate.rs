//! Steps of a rotation of the root. Running servers follow, since the directory is theirs too.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshtls::TrustDomain;
use meshtls::ca::store::SharedAuthority;
use meshtls::ca::{AuthorityOptions, RandomSerials, Readiness};
use meshtls::rustls::TlsProfile;
use meshtls::source::UnixTime;

#[derive(Args)]
pub(crate) struct RotateArguments {
    /// Which step.
    step: RotateStep,
    /// The directory of the authority.
    #[arg(long, value_name = "DIR")]
    ca_dir: PathBuf,
    /// The trust domain whose IDs are issued.
    #[arg(long, value_name = "TD", default_value = "cluster.local")]
    trust_domain: TrustDomain,
    /// Take the step although it breaks connections: for emergencies.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum RotateStep {
    /// Make a new root, which is trusted from now on.
    Prepare,
    /// Let the new root sign.
    Activate,
    /// End the trust in the old root.
    Retire,
    /// Go one phase back.
    Back,
    /// Drop the old root for good: no way back, and another rotation may begin.
    Forget,
    /// Say where the rotation stands.
    Status,
}

pub(crate) fn run(arguments: &RotateArguments) -> Result<(), Box<dyn Error>> {
    if !arguments.ca_dir.is_dir() {
        return Err(format!("{} is no directory", arguments.ca_dir.display()).into());
    }
    let algorithms = TlsProfile::ring()
        .provider()
        .signature_verification_algorithms
        .all;
    let (now, options) = (UnixTime::now(), AuthorityOptions::default());
    let authority = SharedAuthority::open_or_create(
        &arguments.ca_dir,
        &arguments.trust_domain,
        &options,
        algorithms,
        now,
        &mut RandomSerials,
    )?;
    let readiness = if arguments.force { Readiness::Override } else { Readiness::Required };
    let rotation = match arguments.step {
        RotateStep::Prepare => authority.prepare(&options, now, &mut RandomSerials)?,
        RotateStep::Activate => authority.activate(now, readiness)?,
        RotateStep::Retire => authority.retire(now, readiness)?,
        RotateStep::Back => authority.back(now, readiness)?,
        RotateStep::Forget => authority.forget(now)?,
        RotateStep::Status => authority.rotation(now)?,
    };
    println!("{}: generation {}", rotation.phase(), rotation.generation());
    Ok(())
}
