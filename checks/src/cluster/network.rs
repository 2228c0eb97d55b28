//! The network between the nodes: a bridge and a network namespace for each node, all inside a namespace of this run.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use super::schedule::{NODES, Node};

/// The port of each node, which has an address of its own.
const PORT: u16 = 7400;
const BRIDGE: &str = "chamber";

/// A MAC address that no device has: packets to it reach nobody.
const NOBODY: &str = "02:00:00:00:00:ff";

/// A link that is slow and loses packets: by netem, or by a bucket whose queue overflows.
const NETEM: &str = "netem delay 60ms 30ms loss 4%";
const BUCKET: &str = "tbf rate 4mbit burst 8kb limit 24kb";

/// Runs a command of the system.
///
/// # Errors
/// It cannot be run or fails; with its messages.
pub(crate) fn run(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{line}`: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Prepares the network and mount namespaces of this process, once.
pub(crate) fn prepare() -> Result<(), String> {
    // Names of namespaces are files below /run, which stays as it is outside.
    run("mount -t tmpfs none /run")?;
    run("ip link set lo up")
}

/// The network of a run.
#[derive(Debug)]
pub(crate) struct Network {
    slow: &'static str,
}

impl Network {
    /// Makes the network, in prepared namespaces.
    pub(crate) fn make() -> Result<Network, String> {
        run(&format!("ip link add {BRIDGE} type bridge"))?;
        run(&format!("ip addr add 10.77.0.1/24 dev {BRIDGE}"))?;
        run(&format!("ip link set {BRIDGE} up"))?;
        let mut network = Network { slow: NETEM };
        for (node, name) in NODES.iter().enumerate() {
            run(&format!("ip netns add {name}"))?;
            run(&format!("ip link add to-{name} type veth peer name eth0 netns {name}"))?;
            run(&format!("ip link set to-{name} master {BRIDGE} up"))?;
            run(&format!("ip -n {name} addr add {}/24 dev eth0", address(node)))?;
            run(&format!("ip -n {name} link set eth0 up"))?;
            run(&format!("ip -n {name} link set lo up"))?;
        }
        if network.slow(0).is_err() {
            network.slow = BUCKET;
            network.slow(0)?;
        }
        network.heal()?;
        Ok(network)
    }

    /// Whether slow links delay and lose packets at random, or only by a full queue.
    pub(crate) fn has_netem(&self) -> bool {
        self.slow == NETEM
    }

    /// Loses all packets from one node to another.
    pub(crate) fn drop_packets(&self, from: Node, to: Node) -> Result<(), String> {
        let (name, to) = (NODES[from], address(to));
        run(&format!("ip -n {name} neigh replace {to} lladdr {NOBODY} dev eth0 nud permanent"))
    }

    /// Loses all packets of a node, also from and to clients.
    pub(crate) fn isolate(&self, node: Node) -> Result<(), String> {
        run(&format!("ip link set to-{} down", NODES[node]))
    }

    /// Makes the link of a node slow and lossy.
    pub(crate) fn slow(&self, node: Node) -> Result<(), String> {
        run(&format!("tc -n {} qdisc replace dev eth0 root {}", NODES[node], self.slow))
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) -> Result<(), String> {
        for (node, name) in NODES.iter().enumerate() {
            run(&format!("ip link set to-{name} up"))?;
            // There may be nothing to delete.
            let _ = run(&format!("tc -n {name} qdisc del dev eth0 root"));
            for peer in (0..NODES.len()).filter(|it| *it != node) {
                let _ = run(&format!("ip -n {name} neigh del {} dev eth0", address(peer)));
            }
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Whatever stays goes with the namespace.
        for name in NODES {
            let _ = run(&format!("ip link del to-{name}"));
            let _ = run(&format!("ip netns del {name}"));
        }
        let _ = run(&format!("ip link del {BRIDGE}"));
    }
}

/// The address of a node.
pub(crate) fn socket(node: Node) -> SocketAddr {
    (address(node), PORT).into()
}

fn address(node: Node) -> Ipv4Addr {
    let last = u8::try_from(node).unwrap_or(0) + 11;
    Ipv4Addr::new(10, 77, 0, last)
}
