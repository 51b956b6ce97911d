//! Act 1.

use std::error::Error;

use crate::verdict::Verdict;

pub(crate) async fn act(rate: u32, open: u32, verdict: &mut Verdict) -> Result<(), Box<dyn Error>> {
    let _ = (rate, open, verdict);
    Ok(())
}
