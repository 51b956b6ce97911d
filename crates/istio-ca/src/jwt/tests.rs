use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use meshtls_ca::{KeyPair, KeyType};
use meshtls_testkit::test_time;
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};

use super::{Authenticator as _, JwtAlgorithm, JwtCallers, JwtError, NotAuthenticated, Shown};

const ISSUER: &str = "https://kubernetes.default.svc";
const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";

/// An issuer of tokens, with a P-256 key.
struct Issuer {
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Issuer {
    fn new() -> Self {
        Self::with(KeyType::P256, Algorithm::ES256)
    }

    fn with(key_type: KeyType, algorithm: Algorithm) -> Self {
        let der = KeyPair::generate(key_type).unwrap().private_key();
        let der = der.secret_der();
        let key = if key_type == KeyType::Ed25519 {
            EncodingKey::from_ed_der(der)
        } else {
            EncodingKey::from_ec_der(der)
        };
        Self { key, algorithm }
    }

    fn jwk(&self, kid: &str) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap())
                .unwrap();
        jwk["kid"] = json!(kid);
        jwk
    }

    fn token(&self, kid: &str, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(kid.to_owned());
        self.signed(&header, claims)
    }

    fn signed(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}

fn write_jwks(path: &Path, keys: &[Value]) {
    fs::write(path, json!({ "keys": keys }).to_string()).unwrap();
}

fn seconds() -> u64 {
    test_time().as_secs()
}

/// As Kubernetes writes them.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": ["istio-ca"],
        "sub": "system:serviceaccount:pay:ledger",
        "iat": seconds() - 10,
        "nbf": seconds() - 10,
        "exp": seconds() + 600,
        "kubernetes.io": {
            "namespace": "pay",
            "pod": {"name": "ledger-0", "uid": "1"},
            "serviceaccount": {"name": "ledger", "uid": "2"}
        }
    })
}

fn callers(path: &Path) -> JwtCallers {
    JwtCallers::new("prod.example".parse().unwrap(), path, ISSUER)
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    (directory, path)
}

fn changed(change: impl Fn(&mut Value)) -> Value {
    let mut claims = claims();
    change(&mut claims);
    claims
}

#[test]
fn claims_and_whom_they_name() {
    let (_directory, path) = file();
    let issuer = Issuer::new();
    write_jwks(&path, &[issuer.jwk("a")]);
    let callers = callers(&path);
    let now = seconds();
    for (name, claims, want) in [
        ("a bound token", claims(), Ok(LEDGER)),
        (
            "by its subject alone",
            changed(|claims| claims["kubernetes.io"] = Value::Null),
            Ok(LEDGER),
        ),
        ("by `kubernetes.io` alone", changed(|claims| claims["sub"] = Value::Null), Ok(LEDGER)),
        ("one audience", changed(|claims| claims["aud"] = json!("istio-ca")), Ok(LEDGER)),
        (
            "one of several audiences",
            changed(|claims| claims["aud"] = json!(["x", "istio-ca"])),
            Ok(LEDGER),
        ),
        (
            "a JWT-SVID",
            json!({"iss": ISSUER, "aud": "istio-ca", "exp": now + 1, "sub": "spiffe://prod.example/vm/7"}),
            Ok("spiffe://prod.example/vm/7"),
        ),
        ("the last second", changed(|claims| claims["exp"] = json!(now + 1)), Ok(LEDGER)),
        ("the first second", changed(|claims| claims["nbf"] = json!(now)), Ok(LEDGER)),
        ("a fraction", changed(|claims| claims["exp"] = json!(1_800_000_001.5)), Ok(LEDGER)),
        (
            "another issuer",
            changed(|claims| claims["iss"] = json!("https://other")),
            Err("jwt_issuer"),
        ),
        ("no issuer", changed(|claims| claims["iss"] = Value::Null), Err("jwt_issuer")),
        (
            "another audience",
            changed(|claims| claims["aud"] = json!(["vault"])),
            Err("jwt_audience"),
        ),
        ("no audience", changed(|claims| claims["aud"] = Value::Null), Err("jwt_audience")),
        (
            "an audience that begins so",
            changed(|claims| claims["aud"] = json!("istio-ca.evil")),
            Err("jwt_audience"),
        ),
        ("expired", changed(|claims| claims["exp"] = json!(now)), Err("jwt_expired")),
        (
            "a fraction of its last second",
            changed(|claims| claims["exp"] = json!(1_800_000_000.9)),
            Err("jwt_expired"),
        ),
        ("never expires", changed(|claims| claims["exp"] = Value::Null), Err("jwt_without_expiry")),
        ("not yet", changed(|claims| claims["nbf"] = json!(now + 1)), Err("jwt_not_yet_valid")),
        (
            "not yet, by a fraction",
            changed(|claims| claims["nbf"] = json!(1_800_000_000.1)),
            Err("jwt_not_yet_valid"),
        ),
        (
            "expiry as a text",
            changed(|claims| claims["exp"] = json!("tomorrow")),
            Err("jwt_claims_malformed"),
        ),
        (
            "expiry before the epoch",
            changed(|claims| claims["exp"] = json!(-1)),
            Err("jwt_claims_malformed"),
        ),
        ("no object", json!([1]), Err("jwt_claims_malformed")),
        (
            "subject and account disagree",
            changed(|claims| claims["sub"] = json!("system:serviceaccount:pay:other")),
            Err("jwt_subjects_disagree"),
        ),
        (
            "a subject of no kind",
            changed(|claims| claims["sub"] = json!("alice")),
            Err("jwt_subject"),
        ),
        (
            "no name",
            changed(|claims| claims["sub"] = json!("system:serviceaccount:pay")),
            Err("jwt_subject"),
        ),
        (
            "a name with a slash",
            changed(|claims| claims["sub"] = json!("system:serviceaccount:pay:a/../b")),
            Err("jwt_subject"),
        ),
        (
            "a third part",
            changed(|claims| claims["sub"] = json!("system:serviceaccount:a:b:c")),
            Err("jwt_subject"),
        ),
        ("nobody", json!({"iss": ISSUER, "aud": "istio-ca", "exp": now + 1}), Err("jwt_subject")),
        (
            "another domain",
            json!({"iss": ISSUER, "aud": "istio-ca", "exp": now + 1, "sub": "spiffe://other.example/vm"}),
            Err("jwt_foreign_subject"),
        ),
        (
            "no workload",
            json!({"iss": ISSUER, "aud": "istio-ca", "exp": now + 1, "sub": "spiffe://prod.example"}),
            Err("jwt_foreign_subject"),
        ),
    ] {
        let judged = callers.judge(&issuer.token("a", &claims), test_time());
        let judged = judged.map(|caller| caller.id.to_string());
        match (judged, want) {
            (Ok(id), want) => assert_eq!(Ok(&*id), want, "{name}"),
            (Err(error), want) => assert_eq!(Err(error.reason()), want, "{name}"),
        }
    }
}

/// JSON that says the same thing twice is not read by the last word.
#[test]
fn a_claim_that_is_there_twice() {
    let twice = format!(r#"{{"iss":"{ISSUER}","iss":"{ISSUER}"}}"#);
    assert!(super::Claims::read(twice.as_bytes()).is_err());
}

#[test]
fn signatures_and_keys() {
    let (_directory, path) = file();
    let (first, second, stranger) = (Issuer::new(), Issuer::new(), Issuer::new());
    let p384 = Issuer::with(KeyType::P384, Algorithm::ES384);
    let ed25519 = Issuer::with(KeyType::Ed25519, Algorithm::EdDSA);
    let mut encryption = stranger.jwk("encryption");
    encryption["use"] = json!("enc");
    let mut misnamed = first.jwk("misnamed");
    misnamed["alg"] = json!("ES384");
    let secret = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode("secret"), "kid": "secret"});
    let unknown = json!({"kty": "new", "kid": "new"});
    write_jwks(
        &path,
        &[
            first.jwk("a"),
            second.jwk("b"),
            p384.jwk("c"),
            ed25519.jwk("d"),
            encryption,
            misnamed,
            secret,
            unknown,
        ],
    );
    let callers = callers(&path);
    let without_kid = |issuer: &Issuer| issuer.signed(&Header::new(issuer.algorithm), &claims());
    let hmac = {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("secret".to_owned());
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(b"secret")).unwrap()
    };
    // The oldest trick: the public key as the secret of an HMAC.
    let confused = {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("a".to_owned());
        let public = first.jwk("a").to_string();
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(public.as_bytes()))
            .unwrap()
    };
    let with_header = |header: &Value| {
        let good = first.token("a", &claims());
        let rest = good.split_once('.').unwrap().1;
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    let good = first.token("a", &claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other_claims = changed(|claims| claims["sub"] = json!("system:serviceaccount:pay:admin"));
    let other = first.token("a", &other_claims);
    let (header, _) = message.split_once('.').unwrap();
    let other_payload = other.split('.').nth(1).unwrap();
    let mut critical = Header::new(Algorithm::ES256);
    critical.crit = Some(vec!["exp".to_owned()]);
    for (name, token, want) in [
        ("the first key", good.clone(), None),
        ("the second key", second.token("b", &claims()), None),
        ("P-384", p384.token("c", &claims()), None),
        ("Ed25519", ed25519.token("d", &claims()), None),
        ("without a name, any that fits", without_kid(&second), None),
        ("a stranger's", stranger.token("a", &claims()), Some("jwt_signature")),
        ("a stranger's without a name", without_kid(&stranger), Some("jwt_signature")),
        ("the name of another key", first.token("b", &claims()), Some("jwt_signature")),
        ("an unknown name", first.token("z", &claims()), Some("jwt_unknown_key")),
        ("a key for encryption", stranger.token("encryption", &claims()), Some("jwt_unknown_key")),
        (
            "a key for another algorithm",
            first.token("misnamed", &claims()),
            Some("jwt_unknown_key"),
        ),
        ("the name of a P-384 key", first.token("c", &claims()), Some("jwt_unknown_key")),
        ("a shared secret", hmac, Some("jwt_algorithm")),
        ("the public key as a secret", confused, Some("jwt_algorithm")),
        ("no algorithm", with_header(&json!({"alg": "none", "kid": "a"})), Some("jwt_header")),
        ("an algorithm nobody knows", with_header(&json!({"alg": "XX"})), Some("jwt_header")),
        (
            "another header",
            with_header(&json!({"alg": "ES256", "kid": "a", "typ": "x"})),
            Some("jwt_signature"),
        ),
        ("critical parameters", first.signed(&critical, &claims()), Some("jwt_critical")),
        ("other claims", format!("{header}.{other_payload}.{signature}"), Some("jwt_signature")),
        ("no signature", format!("{message}."), Some("jwt_signature")),
        ("half a signature", format!("{message}.{}", &signature[..40]), Some("jwt_signature")),
        ("no base64", format!("{message}.!!"), Some("jwt_malformed")),
        ("one part", "abc".to_owned(), Some("jwt_malformed")),
        ("two parts", "abc.def".to_owned(), Some("jwt_malformed")),
        ("four parts", format!("{good}.x"), Some("jwt_header")),
        ("empty parts", "..".to_owned(), Some("jwt_header")),
        ("too long", format!("{good}{}", "x".repeat(16 * 1024)), Some("jwt_too_long")),
    ] {
        let judged = callers.judge(&token, test_time());
        assert_eq!(judged.as_ref().err().map(JwtError::reason), want, "{name}: {judged:?}");
    }
    let narrow = self::callers(&path).algorithms([JwtAlgorithm::Rs256]);
    assert_eq!(narrow.judge(&good, test_time()).unwrap_err().reason(), "jwt_algorithm");
    let vault = self::callers(&path).audience("vault");
    assert_eq!(vault.judge(&good, test_time()).unwrap_err().reason(), "jwt_audience");
}

/// RSA as Kubernetes signs. The key is of the ring-free backend, since ring draws none.
#[test]
fn every_algorithm_has_its_name_and_no_shared_secret_has_one() {
    for (algorithm, want) in [
        (Algorithm::ES256, Some(JwtAlgorithm::Es256)),
        (Algorithm::ES384, Some(JwtAlgorithm::Es384)),
        (Algorithm::EdDSA, Some(JwtAlgorithm::EdDsa)),
        (Algorithm::RS256, Some(JwtAlgorithm::Rs256)),
        (Algorithm::RS384, Some(JwtAlgorithm::Rs384)),
        (Algorithm::RS512, Some(JwtAlgorithm::Rs512)),
        (Algorithm::PS256, Some(JwtAlgorithm::Ps256)),
        (Algorithm::PS384, Some(JwtAlgorithm::Ps384)),
        (Algorithm::PS512, Some(JwtAlgorithm::Ps512)),
        (Algorithm::HS256, None),
        (Algorithm::HS384, None),
        (Algorithm::HS512, None),
    ] {
        assert_eq!(JwtAlgorithm::named(algorithm), want);
    }
    assert_eq!(JwtAlgorithm::ALL.len(), 9);
}

#[test]
fn keys_are_read_again_and_what_is_no_key_set_leaves_none() {
    let (_directory, path) = file();
    let (first, second) = (Issuer::new(), Issuer::new());
    let callers = callers(&path);
    let judge = |issuer: &Issuer| {
        let judged = callers.judge(&issuer.token("a", &claims()), test_time());
        judged.map_or_else(|error| error.reason(), |_| "known")
    };
    assert_eq!(judge(&first), "jwks_unreadable");
    write_jwks(&path, &[first.jwk("a")]);
    assert_eq!((judge(&first), judge(&second)), ("known", "jwt_signature"));
    write_jwks(&path, &[second.jwk("a")]);
    assert_eq!((judge(&first), judge(&second)), ("jwt_signature", "known"));
    fs::write(&path, "{\"keys\": [").unwrap();
    assert_eq!(judge(&second), "jwks_malformed");
    write_jwks(&path, &[]);
    assert_eq!(judge(&second), "jwt_unknown_key");
    fs::remove_file(&path).unwrap();
    assert_eq!(judge(&second), "jwks_unreadable");
}

#[tokio::test]
async fn the_authenticator_leaves_other_tokens_alone_and_says_when_it_cannot_tell() {
    let (_directory, path) = file();
    let issuer = Issuer::new();
    let callers = Arc::new(callers(&path));
    let shown = |bearer: Option<String>| Shown {
        peer: None,
        bearer: bearer.map(Into::into),
        address: ([127, 0, 0, 1], 1).into(),
        now: UnixTime::since_unix_epoch(Duration::from_secs(seconds())),
    };
    for bearer in [None, Some("meshtls-join-00".to_owned()), Some("a.b".to_owned())] {
        let error = callers.authenticate(&shown(bearer)).await.unwrap_err();
        assert!(matches!(error, NotAuthenticated::NotShown));
    }
    let token = shown(Some(issuer.token("a", &claims())));
    let error = callers.authenticate(&token).await.unwrap_err();
    assert!(matches!(error, NotAuthenticated::CannotTell { reason: "jwks_unreadable", .. }));
    write_jwks(&path, &[issuer.jwk("a")]);
    assert_eq!(callers.authenticate(&token).await.unwrap().id.as_str(), LEDGER);
    assert_eq!(callers.by().label(), "token");
    assert!(!format!("{token:?}").contains("ey"), "a token is not shown");
    write_jwks(&path, &[Issuer::new().jwk("a")]);
    let error = callers.authenticate(&token).await.unwrap_err();
    assert!(matches!(error, NotAuthenticated::Refused { reason: "jwt_signature", .. }));
}
