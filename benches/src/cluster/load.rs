//! Clients that each wait for one answer at a time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::resource::UsageWho;
use serde::Serialize;

use super::Result;
use super::connection::Connection;
use super::system::System;
use crate::usage::cpu_s;

/// How many values each client writes before it begins with its first key again.
const KEYS_PER_CLIENT: u64 = 10;

/// How many clients write many values.
const WRITERS: usize = 64;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    Put,
    Get,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Put => "put",
            Operation::Get => "get",
        }
    }
}

/// A measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// Answers per second.
    pub(crate) per_s: f64,
    /// The median time of one, in microseconds.
    pub(crate) p50_us: f64,
    /// The time that one of a hundred exceeds, in microseconds.
    pub(crate) p99_us: f64,
    /// The CPU microseconds of all nodes for one.
    pub(crate) nodes_cpu_us: f64,
    /// The CPU microseconds of the clients for one.
    pub(crate) clients_cpu_us: f64,
}

/// Lets this number of clients work at the leader for this time.
pub(crate) async fn measure(
    system: &System,
    operation: Operation,
    clients: usize,
    value_bytes: usize,
    time: Duration,
) -> Result<Sample> {
    let leader = system.settle().await?;
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(system.connect(leader).await?);
    }
    // Every key exists before it is read.
    if operation == Operation::Get {
        for (client, connection) in connections.iter_mut().enumerate() {
            for number in 0..KEYS_PER_CLIENT {
                connection.put(&key(client, number), value(client, number, value_bytes)).await?;
            }
        }
    }
    // Caches and connections get used to the load before anything counts.
    let (_, connections) = run(connections, operation, value_bytes, time / 4).await?;
    let (nodes_before, clients_before) = (system.cpu_s()?, cpu_s(UsageWho::RUSAGE_SELF)?);
    let begun = Instant::now();
    let (mut latencies, _) = run(connections, operation, value_bytes, time).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    let count = latencies.len() as f64;
    let nodes_cpu_us = (system.cpu_s()? - nodes_before) * 1e6 / count;
    let clients_cpu_us = (cpu_s(UsageWho::RUSAGE_SELF)? - clients_before) * 1e6 / count;
    latencies.sort_unstable();
    let at = |percent: usize| {
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(place).map_or(0.0, |it| it.as_secs_f64() * 1e6)
    };
    let (p50_us, p99_us) = (at(50), at(99));
    Ok(Sample { per_s: count / elapsed, p50_us, p99_us, nodes_cpu_us, clients_cpu_us })
}

async fn run(
    connections: Vec<Connection>,
    operation: Operation,
    value_bytes: usize,
    time: Duration,
) -> Result<(Vec<Duration>, Vec<Connection>)> {
    let tasks: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(client, it)| tokio::spawn(work(it, client, operation, value_bytes, time)))
        .collect();
    let (mut latencies, mut connections) = (Vec::new(), Vec::new());
    for task in tasks {
        let (connection, its) = task.await??;
        latencies.extend(its);
        connections.push(connection);
    }
    Ok((latencies, connections))
}

async fn work(
    mut connection: Connection,
    client: usize,
    operation: Operation,
    value_bytes: usize,
    time: Duration,
) -> Result<(Connection, Vec<Duration>)> {
    let mut latencies = Vec::new();
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < time {
        let key = key(client, number % KEYS_PER_CLIENT);
        let started = match operation {
            Operation::Put => {
                let value = value(client, number, value_bytes);
                let started = Instant::now();
                connection.put(&key, value).await?;
                started
            }
            Operation::Get => {
                let started = Instant::now();
                let value = connection.get(&key).await?;
                if value.len() != value_bytes {
                    return Err(format!("{key} has {} bytes", value.len()).into());
                }
                started
            }
        };
        latencies.push(started.elapsed());
        number += 1;
    }
    Ok((connection, latencies))
}

/// Writes this number of values to this number of keys in turn, with 64 clients at the leader.
pub(crate) async fn write_all(
    system: &System,
    leader: usize,
    (prefix, keys): (&'static str, u64),
    count: u64,
    value_bytes: usize,
) -> Result<()> {
    let mut tasks = Vec::new();
    for client in 0..WRITERS {
        let mut connection = system.connect(leader).await?;
        tasks.push(tokio::spawn(async move {
            for number in (client as u64..count).step_by(WRITERS) {
                let value = value(0, number, value_bytes);
                connection.put(&format!("{prefix}/{:08}", number % keys), value).await?;
            }
            Result::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn key(client: usize, number: u64) -> String {
    format!("bench/{client:03}/{number:06}")
}

/// Bytes that do not compress and differ for each write.
pub(crate) fn value(client: usize, number: u64, bytes: usize) -> Bytes {
    let mut state = (client as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number + 1);
    let mut value = Vec::with_capacity(bytes.next_multiple_of(8));
    while value.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        value.extend(state.to_le_bytes());
    }
    value.truncate(bytes);
    value.into()
}
