//! A scenario of one's own: a cut, a write on each side of it, and what each node shows after the heal.
//!
//! `cargo run -p steadfast-sim --example scenario`

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use steadfast_guarantees::Status;
use steadfast_protocol::{NodeId, Settings};
use steadfast_sim::{Setup, Simulation};

const SECOND: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", tell()?);
    Ok(())
}

/// Runs the scenario and returns its story.
pub(crate) fn tell() -> Result<String, Box<dyn Error>> {
    // With E=W=1 every node that is cut off may lead and acknowledge: both sides go on.
    let mut cluster = Simulation::new(Setup::new(Settings::new(3, 1, 1)?, 7));
    cluster.settle()?;
    let old = cluster.leader().ok_or("a settled cluster is led")?;

    cluster.cut([old]);
    let others: Vec<NodeId> = NodeId::all(3).filter(|it| *it != old).collect();
    let leads = |it: &Simulation| others.iter().copied().find(|node| it.leads(*node));
    cluster.run_until(SECOND, |it| leads(it).is_some());
    let new = leads(&cluster).ok_or("the other side elects a leader")?;
    let west = cluster.put(old, "plan.txt", b"sail west");
    let east = cluster.put(new, "plan.txt", b"sail east");
    cluster.run_for(SECOND);
    assert!([west, east].iter().all(|it| cluster.status(*it) == Some(Status::Done)));
    let mut story = String::new();
    show(&cluster, "while the network is cut", &mut story)?;

    cluster.heal();
    cluster.settle()?;
    show(&cluster, "after the heal", &mut story)?;
    match cluster.broken().first() {
        Some((guarantee, time)) => Err(format!("{guarantee} is broken at {time}").into()),
        None => Ok(story),
    }
}

/// Adds the version that each node shows, and how many others it keeps.
fn show(cluster: &Simulation, when: &str, story: &mut String) -> Result<(), Box<dyn Error>> {
    writeln!(story, "{when}:")?;
    for node in NodeId::all(3) {
        let shown = cluster.shown(node, "plan.txt").unwrap_or(b"nothing");
        let conflicts = cluster.conflicts(node, "plan.txt").len();
        let shown = String::from_utf8_lossy(shown);
        writeln!(story, "  {node} shows {shown:?} and lists {conflicts} conflicts")?;
    }
    Ok(())
}
