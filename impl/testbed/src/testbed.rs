//! A cluster whose nodes are processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use steadfast_client::{Client, Options, Status};
use steadfast_config::ClientConfig;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::process::Process;
use crate::{Program, TestbedError};

/// How long the nodes may take to hold the same. It bounds a wait in vain and is no claim on speed.
const SETTLING_MAX: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// How long a client that looks at one node waits for it.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The directory around the files of a cluster.
#[derive(Debug)]
pub(crate) enum Around {
    Temporary(TempDir),
    Kept(PathBuf),
}

/// A cluster whose nodes are processes.
#[derive(Debug)]
pub struct Testbed {
    around: Around,
    nodes: BTreeMap<String, Node>,
}

/// A node and how it is started.
#[derive(Debug)]
struct Node {
    program: Program,
    prefix: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    options: Vec<OsString>,
    process: Option<Process>,
}

impl Testbed {
    pub(crate) fn new(around: Around, program: Program, names: Vec<String>) -> Testbed {
        let node = |name| {
            let (prefix, environment, options) = (Vec::new(), Vec::new(), Vec::new());
            (name, Node { program: program.clone(), prefix, environment, options, process: None })
        };
        Testbed { around, nodes: names.into_iter().map(node).collect() }
    }

    /// The directory around the files of the cluster, where the nodes also leave their messages.
    #[must_use]
    pub fn directory(&self) -> &Path {
        match &self.around {
            Around::Temporary(directory) => directory.path(),
            Around::Kept(directory) => directory,
        }
    }

    /// The directory that `steadfast init` made.
    #[must_use]
    pub fn cluster(&self) -> PathBuf {
        self.directory().join("cluster")
    }

    /// The directory of a node, with its configuration and its `data`.
    #[must_use]
    pub fn node(&self, name: &str) -> PathBuf {
        self.cluster().join(name)
    }

    /// The file of a content on a node.
    #[must_use]
    pub fn content(&self, node: &str, content: &str) -> PathBuf {
        self.node(node).join("data/contents").join(content)
    }

    /// The file with the messages of a node.
    #[must_use]
    pub fn log(&self, node: &str) -> PathBuf {
        self.directory().join(format!("{node}.log"))
    }

    /// The names of the nodes, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Keeps the directory when the testbed is dropped.
    pub fn keep(&mut self) {
        if let Around::Temporary(directory) = &mut self.around {
            directory.disable_cleanup(true);
        }
    }

    /// Lets a node run another program from its next start on.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_program(&mut self, node: &str, program: Program) -> Result<(), TestbedError> {
        self.at(node)?.program = program;
        Ok(())
    }

    /// Starts a node, from its next start on, behind these words, which run the rest in other surroundings, such as
    /// `ip netns exec NAME`.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_prefix<'a>(
        &mut self,
        node: &str,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), TestbedError> {
        self.at(node)?.prefix = words.into_iter().map(OsString::from).collect();
        Ok(())
    }

    /// Gives a node a variable of the environment from its next start on.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_variable(
        &mut self,
        node: &str,
        name: &str,
        value: impl Into<OsString>,
    ) -> Result<(), TestbedError> {
        self.at(node)?.environment.push((name.into(), value.into()));
        Ok(())
    }

    /// Gives a node these further options of `steadfast serve` from its next start on, such as `--record`.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_options(
        &mut self,
        node: &str,
        options: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<(), TestbedError> {
        self.at(node)?.options = options.into_iter().map(Into::into).collect();
        Ok(())
    }

    /// Starts all nodes, and does not wait for them.
    ///
    /// # Errors
    /// As [`Testbed::start`].
    pub fn start_all(&mut self) -> Result<(), TestbedError> {
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        names.iter().try_for_each(|it| self.start(it))
    }

    /// Starts a node, and does not wait for it. Its messages go to [`Testbed::log`].
    ///
    /// # Errors
    /// There is no such node, it runs already, or no process can be started.
    pub fn start(&mut self, node: &str) -> Result<(), TestbedError> {
        let (directory, log) = (self.node(node), self.log(node));
        let it = self.at(node)?;
        if it.process.is_some() {
            return Err(state(node, "runs already"));
        }
        let Node { program, prefix, environment, options, .. } = it;
        let process =
            Process::start(program.path(), prefix, environment, options, &directory, &log);
        it.process = Some(process.map_err(failed("start", node))?);
        Ok(())
    }

    /// Ends a node with SIGKILL, whether it runs or is stopped.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self, node: &str) -> Result<(), TestbedError> {
        let process = self.at(node)?.process.take().ok_or_else(|| not_running(node))?;
        process.kill().map(drop).map_err(failed("kill", node))
    }

    /// Stops a node with SIGSTOP, so that it stands still with all its connections, until [`Testbed::resume`].
    ///
    /// # Errors
    /// It does not run.
    pub fn stop(&mut self, node: &str) -> Result<(), TestbedError> {
        let process = self.at(node)?.process.as_ref().ok_or_else(|| not_running(node))?;
        process.stop().map_err(failed("stop", node))
    }

    /// Lets a stopped node go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&mut self, node: &str) -> Result<(), TestbedError> {
        let process = self.at(node)?.process.as_ref().ok_or_else(|| not_running(node))?;
        process.signal(Signal::SIGCONT).map_err(failed("resume", node))
    }

    /// Ends a node with SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It does not run, or does not end within half a minute; then it still runs.
    pub fn terminate(&mut self, node: &str) -> Result<ExitStatus, TestbedError> {
        let it = self.at(node)?;
        let process = it.process.as_mut().ok_or_else(|| not_running(node))?;
        let status = process.terminate().map_err(failed("end", node))?;
        let status = status.ok_or_else(|| state(node, "does not end after SIGTERM"))?;
        it.process = None;
        Ok(status)
    }

    /// How a node has ended, if it was started and has ended by itself. It can be started again then.
    ///
    /// # Errors
    /// There is no such node, or its process cannot be asked.
    pub fn ended(&mut self, node: &str) -> Result<Option<ExitStatus>, TestbedError> {
        let it = self.at(node)?;
        let Some(process) = it.process.as_mut() else { return Ok(None) };
        let status = process.has_ended().map_err(failed("ask", node))?;
        if status.is_some() {
            it.process = None;
        }
        Ok(status)
    }

    /// Whether a node was started and neither ended nor killed since.
    #[must_use]
    pub fn runs(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|it| it.process.is_some())
    }

    /// The id of a node's process.
    ///
    /// # Errors
    /// It does not run.
    pub fn process_id(&self, node: &str) -> Result<nix::unistd::Pid, TestbedError> {
        let process = self.nodes.get(node).and_then(|it| it.process.as_ref());
        process.map(Process::id).ok_or_else(|| not_running(node))
    }

    /// A client of all nodes.
    ///
    /// # Errors
    /// The files of the client cannot be used.
    pub fn client(&self) -> Result<Client, TestbedError> {
        Ok(Client::open(&self.cluster().join("client"))?)
    }

    /// A client that knows only these nodes, with this patience.
    ///
    /// # Errors
    /// The files of the client cannot be used.
    pub fn client_of(&self, nodes: &[&str], options: Options) -> Result<Client, TestbedError> {
        let mut config = ClientConfig::load(&self.cluster().join("client"))
            .map_err(steadfast_client::Error::from)?;
        config.nodes.retain(|it| nodes.contains(&it.name.as_str()));
        Ok(Client::new(&config, options).map_err(steadfast_client::Error::from)?)
    }

    /// What each node says of itself; `None` for one that does not answer within two seconds.
    ///
    /// # Errors
    /// The files of the client cannot be used.
    pub async fn statuses(&self) -> Result<BTreeMap<String, Option<Status>>, TestbedError> {
        let options = Options { deadline: LOOK_MAX, connect_timeout: LOOK_MAX };
        let names: Vec<&str> = self.names().collect();
        let client = self.client_of(&names, options)?;
        let mut statuses = BTreeMap::new();
        for name in names {
            let status = tokio::time::timeout(LOOK_MAX, client.status(name)).await;
            statuses.insert(name.to_owned(), status.ok().and_then(Result::ok));
        }
        Ok(statuses)
    }

    /// Waits until all nodes answer, follow one leader, and hold the same files with all their contents. Returns the
    /// name of the leader.
    ///
    /// # Errors
    /// They have not come to that after 90 seconds. The error holds what they said last.
    pub async fn settle(&self) -> Result<String, TestbedError> {
        let begun = Instant::now();
        loop {
            let statuses = self.statuses().await?;
            if let Some(leader) = settled_under(&statuses) {
                return Ok(leader);
            }
            if begun.elapsed() >= SETTLING_MAX {
                let state = statuses.iter().map(in_words).collect();
                let what = "nodes that hold the same".to_owned();
                return Err(TestbedError::Late { what, after: begun.elapsed(), state });
            }
            sleep(PAUSE).await;
        }
    }

    /// The messages of all nodes, for a test that fails. A file that cannot be read is left out.
    #[must_use]
    pub fn messages(&self) -> String {
        let log = |name: &str| {
            let text = fs::read_to_string(self.log(name)).unwrap_or_default();
            format!("--- {name}\n{text}")
        };
        self.names().map(log).collect()
    }

    fn at(&mut self, node: &str) -> Result<&mut Node, TestbedError> {
        self.nodes.get_mut(node).ok_or_else(|| state(node, "is not one of the testbed"))
    }
}

fn state(node: &str, is: &'static str) -> TestbedError {
    TestbedError::Node { node: node.to_owned(), is }
}

fn not_running(node: &str) -> TestbedError {
    state(node, "does not run")
}

fn failed(verb: &str, node: &str) -> impl FnOnce(std::io::Error) -> TestbedError + use<> {
    TestbedError::io(format!("cannot {verb} node {node}"))
}

/// The leader that all nodes follow, if they also hold the same.
fn settled_under(statuses: &BTreeMap<String, Option<Status>>) -> Option<String> {
    let statuses: Vec<&Status> = statuses.values().map(Option::as_ref).collect::<Option<_>>()?;
    let first = statuses.first()?;
    let is_same = statuses.iter().all(|it| {
        it.leader.is_some()
            && it.leader == first.leader
            && it.vv == first.vv
            && it.digest == first.digest
            && it.contents.missing == 0
            && it.contents.bad == 0
    });
    first.leader.clone().filter(|_| is_same)
}

fn in_words((name, status): (&String, &Option<Status>)) -> String {
    match status {
        None => format!("  {name}: no answer\n"),
        Some(it) => format!(
            "  {name}: {} of epoch {}, leader {}, writes {}, digest {}, {} contents missing, {} bad\n",
            it.role,
            it.epoch,
            it.leader.as_deref().unwrap_or("unknown"),
            it.vv,
            it.digest,
            it.contents.missing,
            it.contents.bad
        ),
    }
}
