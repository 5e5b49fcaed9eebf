//! The proof of a sign-in: AUTH at the mail server, on the relay's own way, without a mail.
//!
//! Uses what was just kept, so it shows that the vault can be read again as well.

use crate::diagnosis::Failure;
use crate::upstream::Progress;
use crate::upstream::Upstream;
use crate::upstream::probe::probe;
use crate::upstream::step::{Fact, News};

/// The mechanism that went through, or why none did.
pub(super) type Proof = Result<&'static str, Failure>;

/// Signs in and says goodbye.
pub(super) async fn prove(upstream: &Upstream) -> Proof {
    let (progress, mut news) = Progress::watched();
    // A dozen steps, kept until it is over.
    probe(upstream, None, progress).await?;
    let mut mechanism = "";
    while let Ok(told) = news.try_recv() {
        let News::Ends(step) = told else { continue };
        for fact in step.facts {
            if let Fact::Mechanism { chosen, .. } = fact {
                mechanism = chosen;
            }
        }
    }
    Ok(mechanism)
}
