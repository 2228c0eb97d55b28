//! `cargo bench -p steadfast-benches --bench delta`: the delta engine step by step on 16 MiB, for
//! comparing one version of it with another. For peers and full sizes there is `versus delta`.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::{fs, io};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use steadfast_benches::delta::inputs::Input;
use steadfast_delta::manifest::{Depth, Kept, Manifest};
use steadfast_delta::remote::{Limits, Receiver, Sender};
use steadfast_delta::{Options, apply, diff};

const MIB: usize = 16;
/// One byte changed, scattered edits, moved bytes, nothing in common.
const INPUTS: [&str; 4] = ["A", "D", "E", "H"];

struct Pair {
    name: &'static str,
    old: Vec<u8>,
    new: Vec<u8>,
}

fn inputs() -> io::Result<Vec<Pair>> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/benches");
    let store = store.join(format!("inputs-{MIB}-mib"));
    let read = |name: &'static str| {
        let folder: PathBuf = Input::named(name)
            .ok_or(io::ErrorKind::NotFound)?
            .make_in(&store, MIB << 20)
            .map_err(io::Error::other)?;
        Ok(Pair { name, old: fs::read(folder.join("old"))?, new: fs::read(folder.join("new"))? })
    };
    INPUTS.into_iter().map(read).collect()
}

fn pairs() -> Vec<Pair> {
    inputs().unwrap_or_else(|error| panic!("the inputs cannot be made: {error}"))
}

fn patch_of(pair: &Pair) -> Vec<u8> {
    let mut patch = Vec::new();
    diff(&pair.old, &pair.new, Options::default(), &mut patch)
        .unwrap_or_else(|error| panic!("a vector takes every patch: {error}"));
    patch
}

fn local(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("local");
    for pair in pairs() {
        group.throughput(Throughput::Bytes(pair.new.len() as u64));
        group.bench_function(BenchmarkId::new("diff", pair.name), |bench| {
            bench.iter(|| patch_of(black_box(&pair)));
        });
        let patch = patch_of(&pair);
        group.bench_function(BenchmarkId::new("apply", pair.name), |bench| {
            bench.iter(|| apply(black_box(&pair.old), &patch, u64::MAX));
        });
    }
}

fn manifests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("manifest");
    for pair in pairs() {
        group.throughput(Throughput::Bytes(pair.new.len() as u64));
        for depth in [Depth::Chunks, Depth::Grains] {
            group.bench_function(BenchmarkId::new(format!("{depth:?}"), pair.name), |bench| {
                bench.iter(|| Manifest::of(black_box(&pair.new), depth));
            });
        }
        let old = Manifest::of(&pair.old, Depth::Grains);
        let patch = patch_of(&pair);
        group.bench_function(BenchmarkId::new("carry", pair.name), |bench| {
            bench.iter(|| {
                let kept = Kept::of_patch(&patch[..], u64::MAX).unwrap_or_default();
                old.carry(black_box(&pair.new), &kept)
            });
        });
    }
}

fn remote(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("remote, cached");
    for pair in pairs() {
        group.throughput(Throughput::Bytes(pair.new.len() as u64));
        let old = Manifest::of(&pair.old, Depth::Grains);
        let send = || {
            let new = Manifest::of(black_box(&pair.new), Depth::Chunks);
            let mut sender = Sender::with_known(&pair.new, &new, &old, 0).ok()?;
            sender.next_message().ok()?
        };
        group.bench_function(BenchmarkId::new("send", pair.name), |bench| bench.iter(send));
        let message = send().unwrap_or_default();
        group.bench_function(BenchmarkId::new("receive", pair.name), |bench| {
            bench.iter(|| Receiver::new(&pair.old, &old, Limits::default()).receive(&message));
        });
    }
}

criterion_group!(benches, local, manifests, remote);
criterion_main!(benches);
