use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let old = std::fs::read(&args[1]).unwrap();
    let new = std::fs::read(&args[2]).unwrap();
    for effort in [
        steadfast_delta::Effort::Fast,
        steadfast_delta::Effort::Default,
        steadfast_delta::Effort::Small,
    ] {
        let options = steadfast_delta::Options { effort, summed: true };
        let mut patch = Vec::new();
        let mut best = f64::MAX;
        for _ in 0..3 {
            patch.clear();
            let start = Instant::now();
            steadfast_delta::diff(&old, &new, options, &mut patch).unwrap();
            best = best.min(start.elapsed().as_secs_f64());
        }
        let mut best_apply = f64::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let made = steadfast_delta::apply(&old, &patch, 1 << 40).unwrap();
            best_apply = best_apply.min(start.elapsed().as_secs_f64());
            assert!(*made == *new);
        }
        println!(
            "{effort:?}: {} bytes, encode {best:.4} s {:.2} GB/s, apply {:.2} GB/s",
            patch.len(),
            new.len() as f64 / best / 1e9,
            new.len() as f64 / best_apply / 1e9
        );
    }
}
