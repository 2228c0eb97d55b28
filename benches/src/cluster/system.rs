//! The clusters that are compared.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use steadfast_config::ClientConfig;
use steadfast_testbed::{Plan, Program, Testbed};

use super::Result;
use super::connection::{Connection, Dialect, Endpoint};
use super::etcd::Etcd;
use super::processes::{cpu_s, disk_bytes, memory_bytes};

/// How long a cluster may take to come to a state. It bounds a wait in vain.
const PATIENCE: Duration = Duration::from_secs(120);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// How many nodes a cluster has.
pub(crate) const NODES: usize = 3;

/// A cluster of three nodes on loopback, which runs.
pub(crate) struct System {
    pub(crate) name: &'static str,
    processes: Processes,
    endpoints: Vec<Endpoint>,
}

enum Processes {
    Ours(Testbed),
    Etcd(Etcd),
}

impl System {
    /// Three nodes of ours with their files in this directory, one of them the leader.
    pub(crate) async fn ours(directory: &Path, program: &Program) -> Result<System> {
        let testbed = Plan::new(program.clone()).directory(directory).make()?;
        System::of_testbed("steadfast", testbed).await
    }

    /// The same, with nodes that record their inputs in this directory as well.
    pub(crate) async fn recording(directory: &Path, program: &Program) -> Result<System> {
        let mut testbed = Plan::new(program.clone()).directory(directory).make()?;
        let names: Vec<String> = testbed.names().map(str::to_owned).collect();
        for name in names {
            let recordings = directory.join("recordings").join(&name);
            testbed.set_options(&name, ["--record".into(), recordings.into_os_string()])?;
        }
        System::of_testbed("recording", testbed).await
    }

    async fn of_testbed(name: &'static str, testbed: Testbed) -> Result<System> {
        let config = ClientConfig::load(&testbed.cluster().join("client"))?;
        let endpoints = endpoints(Dialect::Files, &config)?;
        System::started(name, Processes::Ours(testbed), endpoints).await
    }

    /// Three members of etcd, likewise.
    /// `None` if it is not installed.
    pub(crate) async fn etcd(directory: &Path, program: &Program) -> Result<Option<System>> {
        if !Etcd::is_installed() {
            return Ok(None);
        }
        let files = Plan::new(program.clone()).directory(directory).make()?;
        let etcd = Etcd::new(files)?;
        let endpoints = endpoints(Dialect::Grpc, &etcd.config()?)?;
        System::started("etcd", Processes::Etcd(etcd), endpoints).await.map(Some)
    }

    async fn started(
        name: &'static str,
        processes: Processes,
        endpoints: Vec<Endpoint>,
    ) -> Result<System> {
        let mut system = System { name, processes, endpoints };
        for node in 0..NODES {
            system.start(node)?;
        }
        system.settle().await?;
        Ok(system)
    }

    /// The cluster of ours.
    pub(crate) fn testbed(&self) -> Option<&Testbed> {
        match &self.processes {
            Processes::Ours(testbed) => Some(testbed),
            Processes::Etcd(_) => None,
        }
    }

    /// Starts a node, and does not wait for it.
    pub(crate) fn start(&mut self, node: usize) -> Result<()> {
        match &mut self.processes {
            Processes::Ours(testbed) => {
                let name = name_of(testbed, node)?;
                Ok(testbed.start(&name)?)
            }
            Processes::Etcd(etcd) => etcd.start(node),
        }
    }

    /// Ends a node with SIGKILL.
    pub(crate) fn kill(&mut self, node: usize) -> Result<()> {
        match &mut self.processes {
            Processes::Ours(testbed) => {
                let name = name_of(testbed, node)?;
                Ok(testbed.kill(&name)?)
            }
            Processes::Etcd(etcd) => etcd.kill(node),
        }
    }

    /// The process of a node that runs.
    pub(crate) fn process(&self, node: usize) -> Result<Pid> {
        match &self.processes {
            Processes::Ours(testbed) => Ok(testbed.process_id(&name_of(testbed, node)?)?),
            Processes::Etcd(etcd) => {
                etcd.process(node).ok_or_else(|| "this member does not run".into())
            }
        }
    }

    /// The processes of all nodes, which run.
    pub(crate) fn processes(&self) -> Result<Vec<Pid>> {
        (0..NODES).map(|it| self.process(it)).collect()
    }

    /// The CPU seconds of all nodes.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        cpu_s(&self.processes()?)
    }

    /// The most memory of any node: now, and at any time since its start.
    pub(crate) fn memory_bytes(&self) -> Result<(u64, u64)> {
        let mut most = (0, 0);
        for process in self.processes()? {
            let (now, peak) = memory_bytes(process)?;
            most = (most.0.max(now), most.1.max(peak));
        }
        Ok(most)
    }

    /// The bytes that all nodes take on the disk.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        (0..NODES).map(|it| disk_bytes(&self.data(it)?)).sum()
    }

    /// The sum of the metrics of all nodes of ours whose names contain this.
    pub(crate) async fn counted(&self, name: &str) -> Result<u64> {
        let mut sum = 0;
        for node in 0..NODES {
            sum += self.counted_at(node, name).await?;
        }
        Ok(sum)
    }

    /// The same of one node.
    pub(crate) async fn counted_at(&self, node: usize, name: &str) -> Result<u64> {
        let metrics = self.connect(node).await?.text("/metrics").await?;
        let lines = metrics.lines().filter(|it| !it.starts_with('#') && it.contains(name));
        Ok(lines.filter_map(|it| it.rsplit_once(' ')?.1.parse::<u64>().ok()).sum())
    }

    fn data(&self, node: usize) -> Result<PathBuf> {
        match &self.processes {
            Processes::Ours(testbed) => Ok(testbed.node(&name_of(testbed, node)?).join("data")),
            Processes::Etcd(etcd) => Ok(etcd.data(node)),
        }
    }

    /// The way to a node.
    pub(crate) fn endpoint(&self, node: usize) -> &Endpoint {
        &self.endpoints[node]
    }

    /// A connection to a node.
    pub(crate) async fn connect(&self, node: usize) -> Result<Connection> {
        self.endpoints[node].connect(CONNECT_MAX).await
    }

    /// Waits until all nodes follow one leader and have the same writes, and returns the leader.
    pub(crate) async fn settle(&self) -> Result<usize> {
        let begun = Instant::now();
        loop {
            let found = match &self.processes {
                Processes::Ours(testbed) => self.ours_settled(testbed).await,
                Processes::Etcd(_) => self.etcd_settled().await,
            };
            match found {
                Ok(Some(leader)) => return Ok(leader),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Ok(None) if begun.elapsed() > PATIENCE => return Err(self.disagreement().await),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The error of nodes that do not agree, with what they say.
    async fn disagreement(&self) -> Box<dyn std::error::Error + Send + Sync> {
        let said = match &self.processes {
            Processes::Ours(testbed) => format!("{:?}", testbed.statuses().await),
            Processes::Etcd(_) => "etcd gives no reason".to_owned(),
        };
        let (name, waited) = (self.name, PATIENCE.as_secs());
        format!("the nodes of {name} do not agree after {waited} s: {said}").into()
    }

    async fn ours_settled(&self, testbed: &Testbed) -> Result<Option<usize>> {
        let statuses = testbed.statuses().await?;
        let all: Option<Vec<_>> = statuses.values().map(Option::as_ref).collect();
        let Some(all) = all else { return Ok(None) };
        let same = all.windows(2).all(|it| {
            it[0].leader == it[1].leader
                && it[0].vv == it[1].vv
                && it.iter().all(|it| it.contents.missing == 0)
        });
        let leader = all[0].leader.as_deref().filter(|_| same);
        Ok(leader.and_then(|it| testbed.names().position(|name| name == it)))
    }

    async fn etcd_settled(&self) -> Result<Option<usize>> {
        let mut statuses = Vec::new();
        for node in 0..NODES {
            let mut connection = self.connect(node).await?;
            let status = connection.etcd_status();
            statuses.push(tokio::time::timeout(CONNECT_MAX, status).await??);
        }
        let first = &statuses[0];
        let same = statuses
            .iter()
            .all(|it| it.leader != 0 && (it.leader, it.applied) == (first.leader, first.applied));
        let leads = |it: &&super::etcd::messages::StatusResponse| {
            it.header.as_ref().is_some_and(|header| header.member_id == it.leader)
        };
        Ok(statuses.iter().position(|it| leads(&it)).filter(|_| same))
    }
}

fn endpoints(dialect: Dialect, config: &ClientConfig) -> Result<Vec<Endpoint>> {
    config.nodes.iter().map(|it| Endpoint::new(dialect, it.address.port(), config)).collect()
}

fn name_of(testbed: &Testbed, node: usize) -> Result<String> {
    let name = testbed.names().nth(node).map(str::to_owned);
    name.ok_or_else(|| format!("there is no node {node}").into())
}
