//! Istio mTLS policies: parsed, validated, compiled, resolved and explained.
