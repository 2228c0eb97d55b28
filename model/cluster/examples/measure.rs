use stateright::{Checker, Model};
use steadfast_cluster::{ClusterComponents, ClusterModel, shipped};
use steadfast_search::{Options, Search};
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let it = shipped(&args[0]).unwrap();
    let stock = args.get(1).is_some_and(|it| it == "both");
    let system = ClusterComponents::new(it.scope(), None, it.witnesses);
    let t = cpu();
    let ours = Search::new(&system, Options::default()).breadth_first();
    let e = cpu() - t;
    println!(
        "{} engine {} {} depth {} cpu {:.2} ns/gen {:.0} peak {} B/st {:.0} comps {} ties {} sampled {} expected {} marks {:?}",
        it.name,
        ours.unique,
        ours.generated,
        ours.depth,
        e,
        e * 1e9 / ours.generated as f64,
        ours.peak_bytes,
        ours.peak_bytes as f64 / ours.unique as f64,
        ours.components,
        ours.hash_ties,
        ours.sampled,
        ours.is_as_expected(),
        ours.marks.iter().all(|it| it.1)
    );
    if stock {
        let t = cpu();
        let c = ClusterModel::new(it.scope(), None).checker().spawn_dfs().join();
        let s = cpu() - t;
        println!(
            "{} stock {} {} cpu {:.2} ratio {:.1}",
            it.name,
            c.unique_state_count(),
            c.state_count(),
            s,
            s / e
        );
    }
}
