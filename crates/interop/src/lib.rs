//! Tests against programs that this project did not write; see `tests/`.
