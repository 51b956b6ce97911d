//! Configurations: what they are made of, and what none can be made of.

use std::sync::{Arc, Mutex};

use meshtls_identity::AcceptedDomains;
use meshtls_rustls::{AlpnAnswer, ConfigError, MeshClient, MeshServer, TlsMinimum, TlsProfile};
use meshtls_svid::{SvidHandle, X509Svid};
use meshtls_testkit::RawClient;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use crate::kit::{
    LEDGER, PROVIDERS, Provider, SHOP, ca, client, mesh_to_raw_client, server, snapshot,
};

#[test]
fn the_key_must_be_the_certificates() {
    let ca = ca();
    for provider in PROVIDERS {
        let profile = provider.profile();
        let other = ca.svid(SHOP).private_key().clone_key();
        let mixed = || X509Svid::new(ca.svid(LEDGER).chain().to_vec(), other.clone_key()).unwrap();
        let snapshot = || snapshot(mixed(), ca.bundles());
        let errors = [
            MeshServer::new(&profile, &snapshot(), &AcceptedDomains::Any).err(),
            MeshClient::new(&profile, &snapshot()).err(),
        ];
        for error in errors {
            let Some(ConfigError::KeyMismatch { id }) = error else {
                panic!("{provider}: {error:?}")
            };
            assert_eq!(id.as_str(), LEDGER);
        }
    }
}

#[test]
fn the_key_must_be_usable() {
    let ca = ca();
    for provider in PROVIDERS {
        for (name, key) in [
            ("no PKCS #8", PrivateKeyDer::Pkcs8(vec![1, 2, 3].into())),
            ("a PKCS #1 key that is none", PrivateKeyDer::Pkcs1(vec![0x30, 0].into())),
        ] {
            let svid = X509Svid::new(ca.svid(LEDGER).chain().to_vec(), key).unwrap();
            let got = MeshClient::new(&provider.profile(), &snapshot(svid, ca.bundles()));
            let Err(ConfigError::UnusableKey { id, .. }) = got else {
                panic!("{name}, {provider}: {got:?}")
            };
            assert_eq!(id.as_str(), LEDGER);
        }
    }
}

#[test]
fn the_provider_must_fit_the_versions() {
    let ca = ca();
    for provider in PROVIDERS {
        let only_1_2 = CryptoProvider {
            cipher_suites: provider
                .get()
                .cipher_suites
                .iter()
                .copied()
                .filter(|suite| suite.tls13().is_none())
                .collect(),
            ..(*provider.get()).clone()
        };
        let profile = TlsProfile::new(Arc::new(only_1_2)).with_minimum_version(TlsMinimum::Tls13);
        let snapshot = snapshot(ca.svid(LEDGER), ca.bundles());
        let errors = [
            MeshServer::new(&profile, &snapshot, &AcceptedDomains::Any).err(),
            MeshClient::new(&profile, &snapshot).err(),
        ];
        for error in errors {
            assert!(matches!(error, Some(ConfigError::Provider(_))), "{provider}: {error:?}");
        }
    }
}

#[test]
fn a_generation_stays_with_its_configurations() {
    let ca = ca();
    let handle = SvidHandle::new(ca.svid(LEDGER), ca.bundles());
    handle.replace(ca.svid(LEDGER), ca.bundles());
    let profile = Provider::Ring.profile();
    let server = MeshServer::new(&profile, &handle.load(), &AcceptedDomains::Any).unwrap();
    let client = MeshClient::new(&profile, &handle.load()).unwrap();
    handle.replace(ca.svid(LEDGER), ca.bundles());
    assert_eq!((server.generation(), client.generation(), handle.load().generation()), (1, 1, 2));
}

/// Under review: a change of this list is a change of what we speak.
#[test]
fn cipher_suites_and_groups() {
    let common = "\
        TLS13_AES_256_GCM_SHA384 \
        TLS13_AES_128_GCM_SHA256 \
        TLS13_CHACHA20_POLY1305_SHA256 \
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 \
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 \
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 \
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 \
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 \
        TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
    for (provider, groups) in [
        (Provider::Ring, "X25519 secp256r1 secp384r1"),
        (Provider::AwsLcRs, "X25519 secp256r1 secp384r1 X25519MLKEM768"),
    ] {
        let profile = provider.profile();
        let provider = profile.provider();
        let suites: Vec<_> = provider
            .cipher_suites
            .iter()
            .map(|suite| format!("{:?}", suite.suite()))
            .collect();
        assert_eq!(suites.join(" "), common);
        let names: Vec<_> = provider
            .kx_groups
            .iter()
            .map(|group| format!("{:?}", group.name()))
            .collect();
        assert_eq!(names.join(" "), groups);
    }
}

/// The certificate request names no authorities: that would disclose them, and grow with the bundle.
#[tokio::test]
async fn no_root_hints() {
    let ca = ca();
    for provider in PROVIDERS {
        let asked = Arc::new(Recorder::default());
        let mut config = Arc::unwrap_or_clone(RawClient::new(provider.get()).config());
        config.client_auth_cert_resolver = Arc::<Recorder>::clone(&asked);
        let server = server(&ca, &provider.profile());
        let (peer, _) = mesh_to_raw_client(&server, AlpnAnswer::None, Arc::new(config)).await;
        assert_eq!(peer.unwrap_err().reason(), "no_certificate", "{provider}");
        assert_eq!(*asked.0.lock().unwrap(), [0], "asked once, with no names: {provider}");
    }
}

/// How many authorities a server named when it asked for a certificate.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<usize>>);

impl ResolvesClientCert for Recorder {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap().push(hints.len());
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The handshake's own state must not stay in the future of the task that serves the connection.
#[test]
fn sizes() {
    let ca = ca();
    let (server, client) =
        (server(&ca, &Provider::Ring.profile()), client(&ca, &Provider::Ring.profile()));
    let (near, far) = crate::kit::link();
    let matcher = crate::kit::exactly(LEDGER);
    let accept = server.accept(near, AlpnAnswer::None);
    let connect = client.connect(far, None, &matcher, &[]);
    assert!(size_of_val(&accept) <= 128, "{}", size_of_val(&accept));
    assert!(size_of_val(&connect) <= 192, "{}", size_of_val(&connect));
    assert_eq!(
        size_of::<meshtls_rustls::ServerStream<tokio::net::TcpStream>>(),
        size_of::<usize>()
    );
    assert!(
        size_of::<meshtls_rustls::ClientStream<tokio::net::TcpStream>>() <= 2 * size_of::<usize>()
    );
}
