//! PEM out: requests, and where there is a server, certificates. PEM in is `rustls-pki-types`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A request as one block (RFC 7468 section 7).
pub(crate) fn write_csr(der: &[u8]) -> String {
    let mut text = String::new();
    write_block(&mut text, "CERTIFICATE REQUEST", der);
    text
}

/// Adds a certificate as one block (RFC 7468 section 5).
#[cfg(feature = "server")]
pub(crate) fn write_certificate(text: &mut String, der: &[u8]) {
    write_block(text, "CERTIFICATE", der);
}

/// Writes lines of 64 characters.
pub(crate) fn write_block(text: &mut String, label: &str, der: &[u8]) {
    text.extend(["-----BEGIN ", label, "-----\n"]);
    for line in der.chunks(48) {
        STANDARD.encode_string(line, text);
        text.push('\n');
    }
    text.extend(["-----END ", label, "-----\n"]);
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateSigningRequestDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::write_csr;

    #[test]
    fn another_decoder_reads_what_is_written() {
        for len in 0..200_u8 {
            let der: Vec<u8> = (0..len).map(|byte| byte.wrapping_mul(37)).collect();
            let text = write_csr(&der);
            let read = CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).unwrap();
            assert_eq!(read.as_ref(), der, "{len} bytes");
            assert!(text.lines().all(|line| line.len() <= 64), "{len} bytes");
        }
    }
}
