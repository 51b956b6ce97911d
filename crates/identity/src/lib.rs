//! SPIFFE IDs, trust domains and the matchers over them.
