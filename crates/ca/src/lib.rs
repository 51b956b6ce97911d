//! Certificate signing requests and an authority that issues X509-SVIDs.
