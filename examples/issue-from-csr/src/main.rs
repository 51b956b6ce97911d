//! An offline root signs the request of an issuing authority; a workload asks that authority with a request of its own.
//!
//! ```text
//! cargo run -p issue-from-csr
//! ```
//!
//! Prints two audit events, one of a certificate and one of a refusal (another's identity), then
//! `spiffe://prod.example/ns/pay/sa/ledger is proven by 2 certificates`, and ends with 0; with 1 if anything is otherwise.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use meshtls_ca::{
    AuditError, AuditEvent, AuditLog, AuthenticatedBy, Authority, AuthorityOptions,
    IntermediateTerms, IssuancePolicy, KeyPair, KeyType, RandomSerials, RegistrationAuthority,
    Requester, csr,
};
use meshtls_identity::{AcceptedDomains, SpiffeId, TrustDomain};
use meshtls_svid::{TrustBundles, Usage, Validation, validate};
use rustls_pki_types::UnixTime;
use webpki::ALL_VERIFICATION_ALGS;

/// Issues an X509-SVID for a request, through an issuing authority below an offline root.
#[derive(Parser)]
struct Options {
    /// The trust domain.
    #[arg(long, default_value = "prod.example")]
    trust_domain: TrustDomain,
}

fn main() -> ExitCode {
    match run(&Options::parse().trust_domain) {
        Ok(text) if writeln!(std::io::stdout(), "{text}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(domain: &TrustDomain) -> Result<String, Box<dyn Error>> {
    let (now, serials) = (UnixTime::now(), &mut RandomSerials);

    // The machine that issues draws its key and asks; the root, kept offline, signs; the key never travels.
    let root = Authority::self_signed(domain.clone(), &AuthorityOptions::default(), now, serials)?;
    let issuing_key = Arc::new(KeyPair::generate(KeyType::P256)?);
    let asked = csr::check(&csr::build(issuing_key.as_ref())?, ALL_VERIFICATION_ALGS)?;
    let year = IntermediateTerms::new(Duration::from_secs(365 * 86_400));
    let mut above = root.sign_intermediate(&asked, &year, now, serials)?;
    let certificate = above.remove(0);
    let roots = root.roots().to_vec();
    let algorithms = ALL_VERIFICATION_ALGS;
    let issuing =
        Authority::load(domain.clone(), issuing_key, certificate, above, roots, algorithms, now)?;
    let bundles = TrustBundles::new([issuing.trust_bundle()]);
    let (policy, log) = (IssuancePolicy::default(), Arc::new(Stdout));
    let front = RegistrationAuthority::new(Arc::new(issuing), policy, log, algorithms);

    // The workload draws its own key and asks for itself, then for another.
    let own: SpiffeId = format!("spiffe://{domain}/ns/pay/sa/ledger").parse()?;
    let bank: SpiffeId = format!("spiffe://{domain}/ns/pay/sa/bank").parse()?;
    let request = csr::build(&KeyPair::generate(KeyType::P256)?)?;
    let workload = Requester::new(own, AuthenticatedBy::Process);
    let issued = front.issue(&workload, None, &request, None, now, serials)?;
    if front
        .issue(&workload, Some(&bank), &request, None, now, serials)
        .is_ok()
    {
        return Err("another's identity was given".into());
    }

    let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Client, now);
    let valid = validate(&issued.chain, &rules)?;
    Ok(format!("{} is proven by {} certificates", valid.id(), issued.chain.len()))
}

/// Events go to standard output, a line each.
#[derive(Debug)]
struct Stdout;

impl AuditLog for Stdout {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        writeln!(std::io::stdout(), "{event}").map_err(AuditError::new)
    }
}
