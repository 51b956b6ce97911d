//! Act 1: certificates of two seconds, and two rotations of the root with overlap.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use meshtls::ca::store::{SharedAuthority, StepError};
use meshtls::ca::{AuthorityOptions, RandomSerials, Readiness, RotationError, Step};
use meshtls::rustls::TlsProfile;
use tokio::time::{Instant, sleep};

use crate::child::Child;
use crate::now;
use crate::report::{Calls, Held};
use crate::verdict::Verdict;

pub(crate) async fn act(rate: u32, open: u32, verdict: &mut Verdict) -> Result<(), Box<dyn Error>> {
    println!(
        "act 1: certificates live for {TTL} s, and the root is rotated {ROTATIONS} times with overlap"
    );
    let directory = tempfile::tempdir()?;
    let ca_dir = directory.path().join("ca");
    let authority = open_authority(&ca_dir)?;

    let identity = [Path::new("--svid-ttl"), Path::new(TTL), Path::new("--ca-dir"), &ca_dir];
    let mut server = Child::start(&["serve", "--service-account", "server"], &identity)?;
    let port = server.wait_for("listening on ").await?;
    let role = ["call", "--service-account", "client", "--port", &port];
    let mut client = Child::start(&role, &identity)?;
    client.wait_for("ready").await?;
    client.tell(&format!("open {open}")).await?;
    client.wait_for("opened").await?;
    client.tell(&format!("run {rate}")).await?;

    let begun = Instant::now();
    for round in 1..=ROTATIONS {
        sleep(Duration::from_secs(1)).await;
        authority.prepare(&AuthorityOptions::default(), now()?, &mut RandomSerials)?;
        println!("        {:>4.1} s: root {round} is distributed", begun.elapsed().as_secs_f64());
        until_ready(&authority, Step::Activate).await?;
        authority.activate(now()?, Readiness::Required)?;
        println!("        {:>4.1} s: root {round} signs", begun.elapsed().as_secs_f64());
        until_ready(&authority, Step::Retire).await?;
        authority.retire(now()?, Readiness::Required)?;
        authority.forget(now()?)?;
        println!(
            "        {:>4.1} s: the root before it is trusted no more",
            begun.elapsed().as_secs_f64()
        );
    }
    sleep(Duration::from_secs(3)).await;

    client.tell("stop").await?;
    let calls: Calls = client.report().await?;
    client.tell("open?").await?;
    let held: Held = client.report().await?;
    let Calls { good, failed, example, seconds, generation } = calls;
    verdict.check(
        failed.is_empty(),
        &format!("{good} new connections, each a full handshake and a request; failed: {failed:?}"),
    );
    if let Some(example) = example {
        println!("        {example}");
    }
    let rate = f64::from(good) / seconds;
    verdict.check(rate >= 200.0, &format!("that is {rate:.0} a second, for {seconds:.0} s"));
    verdict.check(
        held.opened == open && held.broken == 0,
        &format!("connections that stay open: {held:?}"),
    );
    // One a second; where a step makes for one before its time, the next comes a second after that.
    let enough =
        |generation: u64| u32::try_from(generation).is_ok_and(|n| f64::from(n) >= seconds * 0.7);
    let generation = generation.unwrap_or(0);
    verdict.check(
        enough(generation),
        &format!("the client's identity was renewed {generation} times"),
    );
    let last = server.last_generation().await?;
    verdict.check(enough(last), &format!("the server's identity was renewed {last} times"));
    client.end().await?;
    server.end().await
}

/// Waits until nobody would be cut off by `step`.
async fn until_ready(authority: &SharedAuthority, step: Step) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match authority.ready(step, now()?) {
            Ok(()) => return Ok(()),
            Err(StepError::Rotation(RotationError::NotReady { .. }))
                if Instant::now() < deadline =>
            {
                sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_authority(path: &Path) -> Result<SharedAuthority, Box<dyn Error>> {
    let profile = TlsProfile::ring();
    Ok(SharedAuthority::open_or_create(
        path,
        &"cluster.local".parse()?,
        &AuthorityOptions::default(),
        profile.provider().signature_verification_algorithms.all,
        now()?,
        &mut RandomSerials,
    )?)
}

/// How long a certificate lives, in seconds.
const TTL: &str = "2";
const ROTATIONS: u32 = 2;
