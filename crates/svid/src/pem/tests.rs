//! PEM in and out, alone and against rustls-pemfile.

use proptest::prelude::*;

use super::*;

/// `AAEC` and `AwQ=` are the bytes 0 1 2 and 3 4.
const ONE: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
const TWO: &str = "-----BEGIN CERTIFICATE-----\nAwQ=\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nBQY=\n-----END PRIVATE KEY-----\n";

fn read(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
    certificates(text.as_bytes()).map(|all| all.iter().map(|one| one.to_vec()).collect())
}

#[test]
fn certificates_that_are_read() {
    let one: &[&[u8]] = &[&[0, 1, 2]];
    let both: &[&[u8]] = &[&[0, 1, 2], &[3, 4]];
    for (name, text, want) in [
        ("one", ONE.to_owned(), one),
        ("two, in order", format!("{ONE}{TWO}"), both),
        ("CRLF", format!("{ONE}{TWO}").replace('\n', "\r\n"), both),
        ("CR", format!("{ONE}{TWO}").replace('\n', "\r"), both),
        ("no last line ending", ONE.trim_end().to_owned(), one),
        ("byte order mark", format!("\u{feff}{ONE}"), one),
        ("comments around", format!("subject=x\n\n{ONE}# next\n{TWO}the end"), both),
        (
            "spaces after the label",
            ONE.replace("CERTIFICATE-----\nA", "CERTIFICATE-----  \nA"),
            one,
        ),
        ("a key beside it", format!("{KEY}{ONE}"), one),
        ("an unknown block beside it", format!("{}{ONE}", ONE.replace("CERTIFICATE", "X")), one),
    ] {
        let want = want.iter().map(|der| der.to_vec()).collect();
        assert_eq!(read(&text), Ok(want), "{name}");
    }
}

#[test]
fn certificates_that_are_not() {
    let labels = |found: &[&str]| PemError::WrongLabel {
        wanted: "CERTIFICATE",
        found: found.iter().map(|label| (*label).to_owned()).collect(),
    };
    for (name, text, want) in [
        ("empty", String::new(), PemError::Empty),
        ("only white space", " \r\n\t".to_owned(), PemError::Empty),
        ("only a byte order mark", "\u{feff}".to_owned(), PemError::Empty),
        ("DER", "0\u{1}".to_owned(), PemError::NoBlock),
        ("an indented block", format!("  {ONE}").replace('\n', "\n  "), PemError::NoBlock),
        ("a key", KEY.to_owned(), labels(&["PRIVATE KEY"])),
        (
            "another label",
            ONE.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            labels(&["TRUSTED CERTIFICATE"]),
        ),
        (
            "a label with a line feed's picture",
            ONE.replace("CERTIFICATE", "A\u{7}\u{2028}"),
            labels(&["A\\u{7}\\u{2028}"]),
        ),
        (
            "no end",
            ONE.replace("-----END CERTIFICATE-----\n", ""),
            PemError::NoEnd { block: 1, line: 1 },
        ),
        (
            "another's end",
            ONE.replace("END CERTIFICATE", "END X"),
            PemError::NoEnd { block: 1, line: 1 },
        ),
        (
            "a block in a block",
            format!("#\n-----BEGIN CERTIFICATE-----\n{ONE}"),
            PemError::NoEnd { block: 1, line: 2 },
        ),
        (
            "no base64",
            format!("{ONE}{}", TWO.replace("AwQ=", "Aw!=")),
            PemError::Invalid { block: 2, line: 4 },
        ),
        ("torn base64", ONE.replace("AAEC", "AAECA"), PemError::Invalid { block: 1, line: 1 }),
        (
            "an end that is no line",
            ONE.replace("AAEC\n", "AAEC"),
            PemError::NoEnd { block: 1, line: 1 },
        ),
        (
            "four dashes",
            ONE.replace("CERTIFICATE-----\nA", "CERTIFICATE----\nA"),
            PemError::Invalid { block: 1, line: 1 },
        ),
        (
            "six dashes",
            ONE.replace("CERTIFICATE-----\nA", "CERTIFICATE------\nA"),
            PemError::Invalid { block: 1, line: 1 },
        ),
        (
            "after CRLF",
            format!("{ONE}{}", TWO.replace("AwQ=", "?")).replace('\n', "\r\n"),
            PemError::Invalid { block: 2, line: 4 },
        ),
    ] {
        assert_eq!(read(&text), Err(want), "{name}");
    }
    let many = ONE.replace("CERTIFICATE", &"x".repeat(100)).repeat(9);
    let Err(PemError::WrongLabel { found, .. }) = read(&many) else { panic!("wrong labels") };
    assert_eq!((found.len(), found[0].len()), (8, 64), "a message stays short");
}

#[test]
fn keys_that_are_read() {
    use PrivateKeyDer::{Pkcs1, Pkcs8, Sec1};

    let der = vec![5, 6];
    for (name, text, want) in [
        ("PKCS #8", KEY.to_owned(), Pkcs8(der.clone().into())),
        ("SEC1", KEY.replace("PRIVATE", "EC PRIVATE"), Sec1(der.clone().into())),
        ("PKCS #1", KEY.replace("PRIVATE", "RSA PRIVATE"), Pkcs1(der.clone().into())),
        ("certificates beside it", format!("{ONE}{KEY}{TWO}"), Pkcs8(der.clone().into())),
        (
            "OpenSSL's parameters before it",
            format!(
                "{}{}",
                ONE.replace("CERTIFICATE", "EC PARAMETERS"),
                KEY.replace("PRIVATE", "EC PRIVATE")
            ),
            Sec1(der.into()),
        ),
    ] {
        assert_eq!(private_key(text.as_bytes()), Ok(want), "{name}");
    }
}

#[test]
fn keys_that_are_not() {
    let labels =
        |label: &str| PemError::WrongLabel { wanted: "PRIVATE KEY", found: vec![label.to_owned()] };
    let header = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
    for (name, text, want) in [
        ("empty", String::new(), PemError::Empty),
        ("no block", "key".to_owned(), PemError::NoBlock),
        ("a certificate", ONE.to_owned(), labels("CERTIFICATE")),
        (
            "OpenSSH's format",
            KEY.replace("PRIVATE", "OPENSSH PRIVATE"),
            labels("OPENSSH PRIVATE KEY"),
        ),
        ("a public key", KEY.replace("PRIVATE", "PUBLIC"), labels("PUBLIC KEY")),
        (
            "two",
            format!("{KEY}{ONE}{}", KEY.replace("PRIVATE", "EC PRIVATE")),
            PemError::SeveralKeys { count: 2 },
        ),
        (
            "encrypted",
            format!("{ONE}{}", KEY.replace("PRIVATE", "ENCRYPTED PRIVATE")),
            PemError::Encrypted { block: 2, line: 4 },
        ),
        (
            "encrypted in the old way",
            KEY.replace("PRIVATE", "RSA PRIVATE")
                .replacen("KEY-----\n", header, 1),
            PemError::Encrypted { block: 1, line: 1 },
        ),
        (
            "the same with CRLF",
            KEY.replacen("KEY-----\n", header, 1).replace('\n', "\r\n"),
            PemError::Encrypted { block: 1, line: 1 },
        ),
        ("torn", KEY.replace("BQY=", "B"), PemError::Invalid { block: 1, line: 1 }),
    ] {
        assert_eq!(private_key(text.as_bytes()), Err(want), "{name}");
    }
}

#[test]
fn messages_tell_the_block_but_not_the_text() {
    let text = format!("{ONE}{}", TWO.replace("AwQ=", "secret!"));
    assert_eq!(read(&text).unwrap_err().to_string(), "block 2 (line 4) is not valid PEM");
}

/// Every cut of a file that is being written gives an error or whole certificates, never a part of one.
#[test]
fn torn_files() {
    let text = format!("{ONE}{TWO}");
    for cut in 0..text.len() {
        match read(&text[..cut]) {
            Ok(whole) => assert!(cut >= ONE.trim_end().len() && whole[0] == [0, 1, 2], "cut {cut}"),
            Err(
                PemError::Empty
                | PemError::NoBlock
                | PemError::NoEnd { .. }
                | PemError::Invalid { .. },
            ) => {}
            Err(other) => panic!("cut {cut}: {other:?}"),
        }
    }
}

#[test]
fn layout_that_is_written() {
    let der = CertificateDer::from((0..60).collect::<Vec<u8>>());
    assert_eq!(
        write_certificates(&[der]),
        "-----BEGIN CERTIFICATE-----\n\
         AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\n\
         MDEyMzQ1Njc4OTo7\n\
         -----END CERTIFICATE-----\n"
    );
}

/// A piece of a PEM file.
fn piece() -> impl Strategy<Value = String> {
    let block = |label: &'static str| {
        proptest::collection::vec(any::<u8>(), 1..100).prop_map(move |der| {
            let mut out = String::new();
            write_block(&mut out, label, &der);
            out
        })
    };
    prop_oneof![
        4 => block(CERTIFICATE),
        1 => block(PRIVATE_KEY),
        1 => block("EC PRIVATE KEY"),
        1 => block("EC PARAMETERS"),
        1 => block("X509 CRL"),
        1 => "[ -,.-~]{0,40}\n",
    ]
}

proptest! {
    /// Files with whole blocks, comments and any line endings: rustls-pemfile reads the same.
    #[test]
    fn as_rustls_pemfile(pieces in proptest::collection::vec(piece(), 0..8), ending in "\n|\r\n|\r") {
        let text = pieces.concat().replace('\n', &ending);
        let theirs: Vec<_> = rustls_pemfile::certs(&mut text.as_bytes()).map(Result::unwrap).collect();
        prop_assert_eq!(certificates(text.as_bytes()).unwrap_or_default(), theirs);

        let keys: Vec<_> = rustls_pemfile::read_all(&mut text.as_bytes())
            .filter_map(|item| match item.unwrap() {
                rustls_pemfile::Item::Pkcs8Key(key) => Some(PrivateKeyDer::from(key)),
                rustls_pemfile::Item::Sec1Key(key) => Some(PrivateKeyDer::from(key)),
                _ => None,
            })
            .collect();
        if let [only] = keys.as_slice() {
            let ours = private_key(text.as_bytes());
            prop_assert_eq!(ours.as_ref(), Ok(only));
        } else {
            prop_assert!(private_key(text.as_bytes()).is_err());
        }
    }

    /// What is written is read again, by us and by rustls-pemfile.
    #[test]
    fn round_trip(der in proptest::collection::vec(any::<u8>(), 0..200)) {
        let key = PrivateKeyDer::Pkcs8(der.clone().into());
        let text = write_private_key(&key);
        let read = private_key(text.as_bytes());
        prop_assert_eq!(read.as_ref(), Ok(&key));
        prop_assert_eq!(rustls_pemfile::private_key(&mut text.as_bytes()).unwrap(), Some(key));
        let certificate = vec![CertificateDer::from(der)];
        prop_assert_eq!(certificates(write_certificates(&certificate).as_bytes()), Ok(certificate));
    }

    /// Whatever the bytes: no panic, and what is accepted, rustls-pemfile accepts with the same content.
    #[test]
    fn any_bytes(lines in proptest::collection::vec(
        prop_oneof![
            Just("-----BEGIN CERTIFICATE-----".to_owned()),
            Just("-----END CERTIFICATE-----".to_owned()),
            Just("-----BEGIN X-----".to_owned()),
            Just("-----END X-----".to_owned()),
            "[A-Za-z0-9+/=]{0,8}",
            ".{0,8}",
        ],
        0..10,
    )) {
        let text = lines.join("\n");
        if let Ok(ours) = certificates(text.as_bytes()) {
            let theirs: Vec<_> = rustls_pemfile::certs(&mut text.as_bytes()).filter_map(Result::ok).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
