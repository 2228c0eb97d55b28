//! Verifying contents in the background.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, error};

use crate::core::{DisplayChain, Event};
use crate::counters::Counters;
use crate::disk::NodeContents;

/// How often some bytes are verified.
const INTERVAL: Duration = Duration::from_secs(1);

/// Verifies all contents again and again, at most `bytes_per_s` bytes in a second. Bad copies are reported to
/// the node, which gets good ones from its peers.
pub(crate) async fn scrub(
    contents: Arc<NodeContents>,
    bytes_per_s: u64,
    events: mpsc::Sender<Event>,
    counters: Arc<Counters>,
) {
    if bytes_per_s == 0 {
        return;
    }
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        let contents = Arc::clone(&contents);
        let scrubbed = tokio::task::spawn_blocking(move || contents.scrub(bytes_per_s)).await;
        let scrubbed = match scrubbed {
            Ok(Ok(scrubbed)) => scrubbed,
            Ok(Err(error)) => {
                error!(error = %DisplayChain(&error), "a content cannot be verified");
                continue;
            }
            Err(_) => return,
        };
        for verdict in scrubbed.verdicts {
            counters.contents_scrubbed.add(1);
            if !verdict.is_good {
                let content = verdict.content;
                error!(%content, "the copy of a content is damaged: another one is fetched");
                if events.send(Event::Rotten(content)).await.is_err() {
                    return;
                }
            }
        }
        if scrubbed.is_complete {
            debug!("all contents have been verified");
        }
    }
}
