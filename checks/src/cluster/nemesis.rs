//! Carries out the faults of a schedule on the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use steadfast_client::Options;
use steadfast_delta::manifest::Root;
use steadfast_testbed::{Program, Testbed, TestbedError};
use tokio::time::sleep;

use super::disks::{self, Disks, Rot};
use super::judge::Violation;
use super::logs::Logs;
use super::network::Network;
use super::schedule::{Fault, NODES, Node};

/// How long a node may take to refuse a damaged log, or to notice a failed sync.
const NOTICING_MAX: Duration = Duration::from_secs(10);
/// The deadline for the list of a node's files.
const ASKING_MAX: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// How often a fault was injected, for how long in all, and how often it had to be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Injected {
    pub(crate) times: u64,
    pub(crate) seconds: f64,
    pub(crate) left_out: u64,
}

/// Whether a fault took place.
enum Begun {
    Yes,
    LeftOut,
}

/// The faults of a run and their means.
pub(crate) struct Nemesis {
    pub(crate) testbed: Testbed,
    /// `None` on loopback, where only the nodes themselves cut connections.
    network: Option<Network>,
    /// The disks that can be filled. They go after the nodes that use them.
    disks: Option<Disks>,
    has_strace: bool,
    /// The program of a node that is started again.
    program: Program,
    random: StdRng,
    rot: Rot,
    tracers: BTreeMap<Node, Child>,
    /// The entries that the logs of nodes held when they did not run.
    pub(crate) logs: Logs,
    pub(crate) injected: BTreeMap<&'static str, Injected>,
    pub(crate) violations: Vec<Violation>,
    /// The rounds of faults as lines, each with the time at which it began.
    pub(crate) timeline: Vec<String>,
    /// How many nodes ended because a sync failed, and how many refused a damaged log.
    pub(crate) noticed: BTreeMap<&'static str, u64>,
}

type Done<T = ()> = Result<T, String>;

/// The time in seconds since 1970, beside which the messages of the nodes can be laid.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:.3}", since.as_secs_f64())
}

fn text(error: TestbedError) -> String {
    error.to_string()
}

impl Nemesis {
    pub(crate) fn new(
        testbed: Testbed,
        network: Option<Network>,
        disks: Option<Disks>,
        has_strace: bool,
        program: Program,
        seed: u64,
    ) -> Nemesis {
        Nemesis {
            testbed,
            network,
            disks,
            has_strace,
            program,
            random: StdRng::seed_from_u64(!seed),
            rot: Rot::default(),
            tracers: BTreeMap::new(),
            logs: Logs::default(),
            injected: BTreeMap::new(),
            violations: Vec::new(),
            timeline: Vec::new(),
            noticed: BTreeMap::new(),
        }
    }

    /// Leaves the data of the nodes, which do not run any more, where they stay after the end of this process.
    pub(crate) fn keep_data(&mut self) -> Done {
        self.disks.as_mut().map_or(Ok(()), Disks::keep)
    }

    /// Whether slow links delay and lose packets at random.
    pub(crate) fn has_netem(&self) -> bool {
        self.network.as_ref().is_some_and(Network::has_netem)
    }

    /// Injects these faults, for this long, and ends them.
    ///
    /// # Errors
    /// A means failed. That says nothing about the nodes.
    pub(crate) async fn inject(&mut self, faults: &[Fault], lasts: Duration) -> Done {
        self.note_ended_nodes()?;
        self.timeline.push(format!("{} {faults:?} for {lasts:?}", now()));
        let mut begun = Vec::new();
        for fault in faults {
            let entry = self.injected.entry(fault.kind()).or_default();
            entry.times += 1;
            let start = Instant::now();
            match self.begin(fault).await? {
                Begun::Yes => begun.push((fault, start)),
                Begun::LeftOut => {
                    let entry = self.injected.entry(fault.kind()).or_default();
                    entry.times -= 1;
                    entry.left_out += 1;
                }
            }
        }
        sleep(lasts).await;
        self.heal_network().await?;
        for (fault, start) in begun {
            self.end(fault).await?;
            self.injected.entry(fault.kind()).or_default().seconds += start.elapsed().as_secs_f64();
        }
        self.note_ended_nodes()
    }

    async fn begin(&mut self, fault: &Fault) -> Done<Begun> {
        match fault {
            Fault::Kill(nodes) => nodes.iter().try_for_each(|it| self.kill(*it))?,
            Fault::Stop(node) => self.testbed.stop(NODES[*node]).map_err(text)?,
            Fault::Isolate(_)
            | Fault::Pair(..)
            | Fault::OneWay(..)
            | Fault::Deaf(_)
            | Fault::Mute(_)
            | Fault::Slow(_) => return self.disturb(fault).await,
            Fault::FullDisk(node) if self.disks.is_some() => disks::fill(&self.data(*node))?,
            Fault::FailingSync(node) if self.has_strace => self.fail_syncs(*node)?,
            Fault::FullDisk(_) | Fault::FailingSync(_) => return Ok(Begun::LeftOut),
            Fault::RotContents(node) => return self.rot_contents(*node).await,
            Fault::RotLog(node) => return self.rot_log(*node).await,
            Fault::Restart(node) => {
                let status = self.testbed.terminate(NODES[*node]).map_err(text)?;
                if status.code() != Some(0) {
                    let why = format!("node {} ended with {status} after SIGTERM", NODES[*node]);
                    self.violations.push(Violation::new(why));
                }
                self.read_log(*node);
            }
        }
        Ok(Begun::Yes)
    }

    async fn end(&mut self, fault: &Fault) -> Done {
        match fault {
            Fault::Kill(nodes) => nodes.iter().try_for_each(|it| self.start(*it)),
            Fault::Stop(node) => self.testbed.resume(NODES[*node]).map_err(text),
            Fault::FullDisk(node) => {
                disks::make_room(&self.data(*node));
                Ok(())
            }
            Fault::FailingSync(node) => self.mend_syncs(*node),
            Fault::Restart(node) => self.start(*node),
            _ => Ok(()),
        }
    }

    fn data(&self, node: Node) -> PathBuf {
        self.testbed.node(NODES[node]).join("data")
    }

    fn kill(&mut self, node: Node) -> Done {
        self.testbed.kill(NODES[node]).map_err(text)?;
        self.read_log(node);
        Ok(())
    }

    fn start(&mut self, node: Node) -> Done {
        self.testbed.set_program(NODES[node], self.program.clone()).map_err(text)?;
        self.testbed.start(NODES[node]).map_err(text)
    }

    /// Reads the log of a node that does not run.
    pub(crate) fn read_log(&mut self, node: Node) {
        let data = self.data(node);
        if let Err(error) = self.logs.read(&data) {
            let why = format!("the log of node {} cannot be read: {error}", NODES[node]);
            self.violations.push(Violation::new(why));
        }
    }

    async fn disturb(&mut self, fault: &Fault) -> Done<Begun> {
        let others = |node: Node| (0..NODES.len()).filter(move |it| *it != node);
        let Some(network) = &self.network else {
            return match fault {
                Fault::Isolate(node) => {
                    self.cut(&others(*node).map(|it| (*node, it)).collect::<Vec<_>>()).await
                }
                Fault::Pair(one, other) => self.cut(&[(*one, *other)]).await,
                _ => Ok(Begun::LeftOut),
            };
        };
        match fault {
            Fault::Isolate(node) => network.isolate(*node)?,
            Fault::Pair(one, other) => {
                network.drop_packets(*one, *other)?;
                network.drop_packets(*other, *one)?;
            }
            Fault::OneWay(from, to) => network.drop_packets(*from, *to)?,
            Fault::Deaf(node) => {
                others(*node).try_for_each(|it| network.drop_packets(it, *node))?;
            }
            Fault::Mute(node) => {
                others(*node).try_for_each(|it| network.drop_packets(*node, it))?;
            }
            Fault::Slow(node) => network.slow(*node)?,
            _ => {}
        }
        Ok(Begun::Yes)
    }

    /// Lets the nodes cut these connections themselves. A node that does not run or stands still is not asked: the other end cuts as well.
    async fn cut(&self, pairs: &[(Node, Node)]) -> Done<Begun> {
        let patience = Duration::from_secs(2);
        let options = Options { deadline: patience, connect_timeout: patience };
        let client = self.testbed.client_of(&NODES, options).map_err(text)?;
        let mut has_cut = pairs.is_empty();
        for (node, name) in NODES.iter().enumerate() {
            let peer = |(one, other): &(Node, Node)| match node {
                it if it == *one => Some(NODES[*other]),
                it if it == *other => Some(NODES[*one]),
                _ => None,
            };
            let peers: Vec<&str> = pairs.iter().filter_map(peer).collect();
            if peers.is_empty() && !pairs.is_empty() {
                continue;
            }
            let asked = tokio::time::timeout(patience, client.cut(name, &peers)).await;
            has_cut |= matches!(asked, Ok(Ok(())));
        }
        Ok(if has_cut { Begun::Yes } else { Begun::LeftOut })
    }

    pub(crate) async fn heal_network(&self) -> Done {
        match &self.network {
            Some(network) => network.heal(),
            None => self.cut(&[]).await.map(drop),
        }
    }

    /// Makes all syncs of a node fail from now on, by the system's means to trace a process.
    fn fail_syncs(&mut self, node: Node) -> Done {
        let process = self.testbed.process_id(NODES[node]).map_err(text)?;
        let child = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
            .args(["-e", "inject=fsync,fdatasync:error=EIO", "-p"])
            .arg(process.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("strace: {error}"))?;
        self.tracers.insert(node, child);
        Ok(())
    }

    /// Lets syncs work again, and starts the node if it ended, as it should have at its first sync.
    fn mend_syncs(&mut self, node: Node) -> Done {
        if let Some(mut tracer) = self.tracers.remove(&node) {
            // A tracer that ends lets its process go on.
            let _ = tracer.kill();
            let _ = tracer.wait();
        }
        match self.testbed.ended(NODES[node]).map_err(text)? {
            Some(status) if status.code() == Some(4) => {
                *self.noticed.entry("ended by a failed sync").or_default() += 1;
            }
            Some(status) => {
                let why = format!("node {} ended with {status} by a failed sync", NODES[node]);
                self.violations.push(Violation::new(why));
            }
            // It may be without a sync to make, or about to notice one that failed: an operator restarts it either way.
            None => self.testbed.kill(NODES[node]).map_err(text)?,
        }
        self.read_log(node);
        self.start(node)
    }

    async fn rot_contents(&mut self, node: Node) -> Done<Begun> {
        let mut shown_elsewhere = BTreeSet::new();
        for other in (0..NODES.len()).filter(|it| *it != node) {
            shown_elsewhere.extend(self.shown_by(other).await?);
        }
        let data = self.data(node);
        let flipped = self.rot.contents(&data, &shown_elsewhere, &mut self.random);
        let flipped = flipped.map_err(|error| format!("{}: {error}", data.display()))?;
        *self.noticed.entry("contents that lost a bit").or_default() += flipped as u64;
        Ok(if flipped > 0 { Begun::Yes } else { Begun::LeftOut })
    }

    /// The names of the contents that a node shows. Empty if the node does not answer.
    async fn shown_by(&self, node: Node) -> Done<Vec<String>> {
        let options = Options { deadline: ASKING_MAX, connect_timeout: ASKING_MAX };
        let client = self.testbed.client_of(&[NODES[node]], options).map_err(text)?;
        let (mut list, mut names) = (client.list("").stale(), Vec::new());
        while let Ok(Some(file)) = list.next().await {
            names.push(Root(file.content.0).to_string());
        }
        Ok(names)
    }

    /// Damages the log of a node, which must refuse it, and repairs it: a node with a damaged log is replaced, and the members of a
    /// cluster are fixed.
    async fn rot_log(&mut self, node: Node) -> Done<Begun> {
        self.kill(node)?;
        let data = self.data(node);
        let Some(flipped) = disks::rot_log(&data, &mut self.random)? else {
            self.start(node)?;
            return Ok(Begun::LeftOut);
        };
        self.start(node)?;
        let begun = Instant::now();
        let status = loop {
            match self.testbed.ended(NODES[node]).map_err(text)? {
                Some(status) => break Some(status),
                None if begun.elapsed() > NOTICING_MAX => break None,
                None => sleep(PAUSE).await,
            }
        };
        match status {
            Some(status) if matches!(status.code(), Some(1 | 4)) => {
                *self.noticed.entry("refused a damaged log").or_default() += 1;
            }
            Some(status) => {
                let why = format!("node {} ended with {status} at a damaged log", NODES[node]);
                self.violations.push(Violation::new(why));
            }
            None => {
                let why = format!("node {} runs with a damaged log: {flipped:?}", NODES[node]);
                self.violations.push(Violation::new(why));
                self.testbed.kill(NODES[node]).map_err(text)?;
            }
        }
        flipped.repair().map_err(|error| format!("{}: {error}", data.display()))?;
        self.start(node)?;
        Ok(Begun::Yes)
    }

    /// No fault ends a node but those that say so.
    fn note_ended_nodes(&mut self) -> Done {
        for name in NODES {
            if let Some(status) = self.testbed.ended(name).map_err(text)? {
                let why = format!(
                    "node {name} ended by itself with {status}: {}",
                    self.testbed.log(name).display()
                );
                self.violations.push(Violation::new(why));
                self.testbed.start(name).map_err(text)?;
            }
        }
        Ok(())
    }
}

impl Drop for Nemesis {
    fn drop(&mut self) {
        for tracer in self.tracers.values_mut() {
            let _ = tracer.kill();
            let _ = tracer.wait();
        }
    }
}
