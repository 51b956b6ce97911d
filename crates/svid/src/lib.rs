//! X509-SVIDs and trust bundles, and the validation of a certificate chain to a SPIFFE ID.
